import {
  type Config,
  ConfigError,
  type Environment,
  readConfig,
  readPublicUrl,
  readStoreConfig,
  readUpstreams
} from '../../config/config.ts'
import { ownSettings } from '../../config/settings.ts'
import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import { type Check, failed, ok } from './check.ts'

/** The parts of the configuration that can be used, however much of the rest is wrong. */
export interface Configured {
  checks: Check[]
  store: Pick<Config, 'home' | 'auditKeys'> | null
  accounts: readonly UpstreamAccount[]
  deadlineMs: number
  diskFloorMb: number
  publicUrl: URL | null
}

/** Reads the configuration as `serve` would. A mistake in one part does not hide the others. */
export function checkConfiguration(env: Environment): Configured {
  const about = { check: 'configuration', subject: 'the environment' } as const
  try {
    const config = readConfig(env)
    const names = config.upstreams.map(({ name }) => name).join(', ')
    const { upstreams: accounts, deadlineMs, diskFloorMb, publicUrl } = config
    return {
      checks: [{ ...about, ...ok(`complete; upstreams: ${names}`) }],
      store: config,
      accounts,
      deadlineMs,
      diskFloorMb,
      publicUrl
    }
  } catch (error) {
    const problem = words(error)
    return {
      checks: [{ ...about, ...failed(`${problem}: \`serve\` would not start`) }],
      store: attempt(() => readStoreConfig(env)),
      accounts: attempt(() => readUpstreams(env)) ?? [],
      deadlineMs: ownSettings.LIVEGATE_DEADLINE_MS.fallback,
      diskFloorMb: ownSettings.LIVEGATE_DISK_FLOOR_MB.fallback,
      publicUrl: attempt(() => readPublicUrl(env))
    }
  }
}

function attempt<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    words(error)
    return null
  }
}

/** The message of a ConfigError. @throws any other error */
function words(error: unknown): string {
  if (!(error instanceof ConfigError)) throw error
  return error.message
}
