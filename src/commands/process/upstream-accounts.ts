import { ConfigError, readUpstreams } from '../../config/config.ts'
import { defaultUpstream } from '../../config/upstreams-file.ts'
import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import { systemClock } from '../../domain/values/clock.ts'
import type { Upstream } from '../../upstream/provider.ts'
import { CommandError, type Io, UsageError } from './io.ts'

/** Checks that a tenant may belong to the upstream of that name. @throws UsageError, CommandError, ConfigError */
export function checkUpstream(io: Io, tenantId: string, name: string): void {
  // Tenants can be made before anything is configured.
  if (name === defaultUpstream && configured(io).length === 0) return
  const accounts = readUpstreams(io.env)
  const account = accounts.find(one => one.name === name)
  if (account === undefined) {
    const names = accounts.map(one => one.name).join(', ')
    throw new UsageError(
      `--upstream: there is no upstream ${name}; ${names ? `there is ${names}` : 'none is configured'}`
    )
  }
  checkDedication(io, tenantId, name)
}

/** @throws CommandError when the upstream of that name is another tenant's alone */
export function checkDedication(io: Io, tenantId: string, name: string): void {
  const owner = configured(io).find(one => one.name === name)?.dedicatedTo ?? tenantId
  if (owner !== tenantId) throw new CommandError(`the upstream ${name} is dedicated to the tenant ${owner}`)
}

/** The upstream of a new tenant when nobody names one: its own account, else `default`, else the only one. @throws UsageError */
export function usualUpstream(io: Io, tenantId: string): string {
  const accounts = configured(io)
  const own = accounts.find(one => one.dedicatedTo === tenantId)
  if (own !== undefined) return own.name
  const shared = accounts.filter(one => one.dedicatedTo === null)
  if (accounts.length === 0 || shared.some(one => one.name === defaultUpstream)) return defaultUpstream
  const [only, ...others] = shared
  if (only !== undefined && others.length === 0) return only.name
  throw new UsageError(`give --upstream, one of ${accounts.map(one => one.name).join(', ')}`)
}

/** None where the configuration is not there: tenants can be made before it. */
function configured(io: Io): readonly UpstreamAccount[] {
  try {
    return readUpstreams(io.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return []
  }
}

/**
 * Asks a configured vendor account from the command line, beside a running gateway.
 * @throws ConfigError when there is no such account
 */
export async function withUpstream<T>(
  io: Io,
  name: string,
  deadlineMs: number,
  work: (upstream: Upstream, account: UpstreamAccount) => Promise<T>
): Promise<T> {
  const account = readUpstreams(io.env).find(one => one.name === name)
  if (account === undefined) throw new ConfigError(`there is no upstream ${name}`)
  const { openUpstream } = await import('../../upstream/account/open-upstream.ts')
  const upstream = openUpstream({ account, deadlineMs, clock: systemClock })
  try {
    return await work(upstream, account)
  } finally {
    await upstream.close()
  }
}
