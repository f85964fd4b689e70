import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config/config.ts'
import type { QuotaShare } from '../domain/quota-share.ts'
import type { Replicas } from '../domain/replicas.ts'
import type { SharedChanges } from '../domain/shared-changes.ts'
import type { UpstreamAccount } from '../domain/upstream-account.ts'
import type { Clock } from '../domain/values/clock.ts'
import type { CallCounter } from '../domain/values/gcra.ts'

export interface ValkeyDeps {
  config: Pick<Config, 'valkey' | 'deadlineMs'>
  logger: FastifyBaseLogger
  clock: Clock
  replicas: Pick<Replicas, 'standing'>
  /** Longest time for an answer of Valkey, where that is not the usual one. */
  withinMs?: number | undefined
}

/** The parts of a gateway that replicas share in Valkey. */
export interface OpenValkey {
  readonly counter: CallCounter
  readonly changes: SharedChanges
  /** This process's part of an account's quota. */
  shareOf(account: Pick<UpstreamAccount, 'name' | 'quota'>): QuotaShare
  isAway(): boolean
}

/** Opens Valkey; null where there is none, and then nothing of it is loaded. A gateway starts without one that is away. */
export async function openValkey(deps: ValkeyDeps, opened: (() => unknown)[]): Promise<OpenValkey | null> {
  const { config, logger: log, clock, replicas, withinMs } = deps
  if (config.valkey === null) return null
  const [{ ValkeyLink }, { SharedCounter }, { SharedQuota }, { SharedVersions }] = await Promise.all([
    import('../valkey/link.ts'),
    import('../valkey/counter.ts'),
    import('../valkey/quota.ts'),
    import('../valkey/versions.ts')
  ])
  const link = new ValkeyLink({
    home: config.valkey,
    log,
    liveReplicas: () => replicas.standing().liveReplicas,
    ...(withinMs !== undefined && { withinMs })
  })
  opened.push(() => link.close())
  await link.open()
  const changes = new SharedVersions(link)
  opened.push(() => changes.close())
  const onVersion = changes.heard.bind(changes)
  const { monotonic } = clock
  const { deadlineMs } = config
  return {
    counter: new SharedCounter({ valkey: link, monotonic, onVersion }),
    changes,
    shareOf: ({ name, quota }) => new SharedQuota({ valkey: link, upstream: name, quota, deadlineMs, monotonic }),
    isAway: () => link.session === null
  }
}
