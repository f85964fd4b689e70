import { randomUUID } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import { toAuditEvent } from './audit/ocsf.ts'
import type { Config } from './config.ts'
import type { AuditEvent, AuditResource } from './domain/audit-event.ts'
import type { Clock } from './domain/clock.ts'
import { followUpstreams } from './follow-upstreams.ts'
import type { Store } from './store/store.ts'
import { tenantsIn } from './store/tenants.ts'
import { neededBy } from './store/upstream-use.ts'
import type { Upstreams } from './upstream/provider.ts'
import { UpstreamSet } from './upstream/upstream-set.ts'

export interface UpstreamsDeps {
  config: Pick<Config, 'upstreams' | 'rereadUpstreams' | 'deadlineMs' | 'auditKeys'>
  store: Store
  clock: Clock
  logger: FastifyBaseLogger
  ca?: string | undefined
  append(event: AuditEvent): void
}

/** The configured vendor accounts, which follow their files; each change is on record. */
export async function openUpstreams(deps: UpstreamsDeps): Promise<{ upstreams: Upstreams; close(): Promise<void> }> {
  const { config, store, clock, logger: log, ca, append } = deps
  const record = (action: string, resources: AuditResource[]): void => {
    const subject = { action, method: 'PUT', tenantId: null, keyId: null, address: null, resources }
    const worker = { actor: { type: 'Gateway' as const, uid: 'upstreams' }, requestId: randomUUID() }
    append(toAuditEvent({ ...subject, ...worker }, { outcome: 'done' }, clock.now()))
  }
  const set = new UpstreamSet({
    dataDir: config.auditKeys.dataDir,
    deadlineMs: config.deadlineMs,
    clock,
    log,
    ca,
    neededBy: name => neededBy(store, name),
    onCredential(name, position) {
      log.warn({ upstream: name, position }, 'another credential of this upstream is used from now on')
      const credential = { type: 'upstream_credential', uid: `${name}#${position}` } as const
      record('switchUpstreamCredential', [{ type: 'upstream', uid: name }, credential])
    }
  })
  await set.open(config.upstreams)
  for (const { id, upstream } of await tenantsIn(store).list()) {
    if (!set.upstreams.has(upstream))
      log.error({ tenant: id, upstream }, 'the upstream of this tenant is not configured')
  }
  const onChange = (): void => {
    const names = [...set.upstreams.keys()].slice(0, 100)
    record(
      'replaceUpstreams',
      names.map(uid => ({ type: 'upstream', uid }))
    )
  }
  const unfollow = config.rereadUpstreams && followUpstreams({ read: config.rereadUpstreams, set, onChange, log })
  return {
    upstreams: set.upstreams,
    async close() {
      await unfollow?.()
      await set.close()
    }
  }
}
