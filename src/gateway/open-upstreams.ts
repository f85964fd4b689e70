import { randomUUID } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import type { Fingerprint } from '../audit/keys/key-files.ts'
import { toAuditEvent } from '../audit/ocsf.ts'
import type { Config } from '../config/config.ts'
import type { AuditEvent, AuditResource } from '../domain/audit/audit-event.ts'
import type { Observer } from '../domain/observer.ts'
import type { QuotaShare } from '../domain/quota-share.ts'
import type { UpstreamAccount } from '../domain/upstream-account.ts'
import { type Clock, Loop } from '../domain/values/clock.ts'
import type { Store } from '../store/store.ts'
import { tenantsIn } from '../store/tables/tenants.ts'
import { type UpstreamUse, upstreamUseIn } from '../store/tables/upstream-use.ts'
import { type Names, UpstreamSet } from '../upstream/account/upstream-set.ts'
import type { Upstreams } from '../upstream/provider.ts'
import type { Vendors } from '../upstream/vendors/vendor.ts'
import { followUpstreams } from './follow-upstreams.ts'

export interface UpstreamsDeps {
  config: Pick<Config, 'upstreams' | 'rereadUpstreams' | 'deadlineMs' | 'auditKeys'>
  store: Store
  /** The boot of the machine; null where the system does not tell. */
  bootId: string | null
  clock: Clock
  logger: FastifyBaseLogger
  observer?: Observer | undefined
  ca?: string | undefined
  vendors?: Vendors | undefined
  /** This process's part of an account's quota, where replicas divide it. */
  shareOf?: ((account: UpstreamAccount) => QuotaShare) | undefined
  append(event: AuditEvent): void
  fingerprint: Fingerprint
}

/** The configured vendor accounts of a running gateway. */
export interface OpenUpstreams {
  readonly upstreams: Upstreams
  /** Things that an operator should look at, for `/readyz`. */
  warnings(): ('upstream_credentials' | 'upstreams_list' | 'webhook_key')[]
  /** Asks each vendor whether it takes our credentials, and logs where it doesn't. */
  check(): Promise<void>
  close(): Promise<void>
}

/** A first credential that was refused may be taken later: vendors need a moment for new ones. */
const preferFirstEveryMs = 60_000

/** Opens the accounts and lets them follow their files. Each change is on record. @throws UpstreamsRejected */
export async function openUpstreams(deps: UpstreamsDeps): Promise<OpenUpstreams> {
  const { config, store, bootId, clock, logger: log, observer, ca, vendors, shareOf, append, fingerprint } = deps
  const record = (action: string, resources: AuditResource[]): void => {
    const subject = { action, method: 'PUT', tenantId: null, keyId: null, address: null, resources }
    const worker = { actor: { type: 'Gateway' as const, uid: 'upstreams' }, requestId: randomUUID() }
    append(toAuditEvent({ ...subject, ...worker }, { outcome: 'done' }, clock.now()))
  }
  const set = new UpstreamSet({
    dataDir: config.auditKeys.dataDir,
    deadlineMs: config.deadlineMs,
    bootId,
    clock,
    log,
    observer,
    ca,
    vendors,
    shareOf,
    names: namesIn(upstreamUseIn(store), fingerprint),
    onOpened({ name, baseUrl, proxy }) {
      const way = { upstream: name, vendor: baseUrl.origin, proxy: proxy?.origin }
      if (proxy !== undefined) log.info({ event: 'upstream_proxy', ...way }, 'this upstream is reached through a proxy')
    },
    onCredential(name, position) {
      log.warn(
        { event: 'upstream_credential_changed', upstream: name, position },
        'another credential of this upstream is used from now on'
      )
      const credential = { type: 'upstream_credential', uid: `${name}#${position}` } as const
      record('switchUpstreamCredential', [{ type: 'upstream', uid: name }, credential])
    }
  })
  await set.open(config.upstreams)
  for (const { id, upstream } of await tenantsIn(store).list()) {
    if (!set.upstreams.has(upstream))
      log.error(
        { event: 'tenant_upstream_missing', tenant: id, upstream },
        'the upstream of this tenant is not configured'
      )
  }
  const onChange = (): void => {
    for (const [upstream, { credential }] of set.upstreams) {
      if (credential().position > 1)
        log.warn(
          { event: 'upstream_credential_refused', upstream },
          'the vendor refuses the first credential of this upstream: the second is used'
        )
    }
    const names = [...set.upstreams.keys()].slice(0, 100)
    record(
      'replaceUpstreams',
      names.map(uid => ({ type: 'upstream', uid }))
    )
  }
  const following = config.rereadUpstreams && followUpstreams({ read: config.rereadUpstreams, set, onChange, log })
  const preferring = new Loop({ round: () => set.preferFirst(), everyMs: preferFirstEveryMs }).start()
  return {
    upstreams: set.upstreams,
    warnings() {
      const areRefused = [...set.upstreams.values()].some(({ credential }) => credential().isRefused)
      const isKeyMissing = [...set.upstreams.values()].some(({ webhooks }) => webhooks.isKeyMissing)
      return [
        ...(areRefused ? (['upstream_credentials'] as const) : []),
        ...(following?.isRefused() ? (['upstreams_list'] as const) : []),
        ...(isKeyMissing ? (['webhook_key'] as const) : [])
      ]
    },
    async check() {
      for (const { name, reason } of await set.check()) {
        if (reason === null)
          log.info({ event: 'upstream_usable', upstream: name }, 'the vendor takes the credentials of this upstream')
        else log.error({ event: 'upstream_unusable', upstream: name, reason }, 'this upstream cannot be used now')
      }
    },
    async close() {
      // A vendor that is being asked holds up no end.
      void preferring.close()
      set.abort()
      await following?.close()
      await set.close()
    }
  }
}

/** Binds a name to one account, as long as the store has something of it. The account is remembered as a fingerprint. */
function namesIn(use: UpstreamUse, fingerprint: Fingerprint): Names {
  const of = ({ identity }: UpstreamAccount): string => fingerprint('upstream_account', identity.reveal())
  return {
    neededBy: use.neededBy,
    async conflict(account) {
      const { name, dedicatedTo } = account
      const known = await use.accountOf(name)
      const held = known === null || known === of(account) ? null : await use.held(name)
      // Livegate would look for it in an account that never had it, and would believe a stop there.
      if (held !== null) return `is not the account that has ${held}: another account needs another name`
      const other = dedicatedTo === null ? null : await use.usedByOthers(name, dedicatedTo)
      // The tenant would find the livestreams of others there, and take them.
      return other && `is dedicated to the tenant ${dedicatedTo}, but ${other}`
    },
    async remember(account) {
      if ((await use.accountOf(account.name)) !== of(account)) await use.rememberAccount(account.name, of(account))
    }
  }
}
