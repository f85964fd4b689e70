import { randomBytes } from 'node:crypto'
import { sql as raw } from 'kysely'
import { sealingWith } from '../../../src/audit/keys/sealing.ts'
import { type RunEventType, runEventTypes } from '../../../src/domain/runs/run.ts'
import { type Network, parseNetwork } from '../../../src/domain/values/address.ts'
import { RunHub } from '../../../src/lifecycle/ledger/hub.ts'
import { deliverer } from '../../../src/lifecycle/webhooks-out/message.ts'
import { type PostOptions, poster } from '../../../src/lifecycle/webhooks-out/post.ts'
import { WebhookSender, type WebhookSenderDeps } from '../../../src/lifecycle/webhooks-out/sender.ts'
import { prepareSetting } from '../../../src/lifecycle/webhooks-out/setting.ts'
import type { Store } from '../../../src/store/store.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { runEventsIn } from '../../../src/store/tables/runs/run-events.ts'
import { webhookDeliveriesIn } from '../../../src/store/tables/webhooks-out/deliveries.ts'
import { webhooksIn } from '../../../src/store/tables/webhooks-out/webhooks.ts'
import { manualClock } from '../clock.ts'
import { storeWithTenants } from '../store/helper.ts'

/** The network in which receivers of tests are. */
export const loopback = [parseNetwork('127.0.0.0/8')].filter((one): one is Network => one !== null)

/** Writes an event as the ledger does: with the next number, in one transaction. There is one run for each meeting. */
export async function happened(
  { engine, sql }: Pick<Store, 'engine' | 'sql'>,
  meetingId: string,
  type: RunEventType,
  { tenantId = 'acme', atMs = Date.now() } = {}
): Promise<void> {
  const next = raw<string>`cast(cast(value as bigint) + 1 as text)`
  const event = {
    seq: raw<number>`(select cast(value as bigint) from meta where name = 'run_event')`,
    run_id: `run-${tenantId}-${meetingId}`,
    tenant_id: tenantId,
    upstream: 'default',
    meeting_id: meetingId,
    livestream_id: `ls-${meetingId}`,
    type,
    status: 'live',
    playback_url: null,
    reason: null,
    at: atMs
  }
  await engine.write([
    sql.updateTable('meta').set({ value: next }).where('name', '=', 'run_event').compile(),
    sql.insertInto('run_events').values(event).compile()
  ])
}

/** All events of a run, in order: five of them. */
export async function allHappened(store: Store, meetingId: string, tenantId = 'acme'): Promise<void> {
  for (const type of runEventTypes) await happened(store, meetingId, type, { tenantId })
}

/** A store with acme and globex, and what sends to their webhooks, with a clock that moves when it is told to. */
export async function webhookWorld(t: Parameters<typeof storeWithTenants>[0], way: Partial<PostOptions> = {}) {
  const { store, file } = await storeWithTenants(t)
  const { engine, sql } = store
  const clock = manualClock()
  const sealing = sealingWith(randomBytes(32))
  const webhooks = webhooksIn(store)
  const deliveries = webhookDeliveriesIn(store)
  const logged: string[] = []
  const say = (_facts: object, message: string): void => void logged.push(message)
  const log = { warn: say, error: say }
  const hub = new RunHub(log)
  const post = poster({ networks: loopback, ...way })
  const deps: WebhookSenderDeps = {
    ...{ engine, webhooks, deliveries, clock, log },
    events: runEventsIn(store),
    hub,
    onWorkLeft: () => () => {},
    auditEvents: auditEventsIn(store),
    deliver: deliverer({ post, sealing, clock }),
    firstPauseMs: 5_000
  }
  const newSender = (more: Partial<WebhookSenderDeps> = {}): WebhookSender => {
    const sender = new WebhookSender({ ...deps, ...more })
    t.teardown(() => sender.close())
    return sender
  }
  return {
    ...{ store, file, clock, sealing, webhooks, deliveries, logged, hub, newSender, deps },
    /** Sets a webhook, and gives its secret; an empty one when it stays what it was. */
    async set(url: string, { tenantId = 'acme', rotateSecret = false } = {}): Promise<string> {
      const before = await webhooks.find(tenantId)
      const made = prepareSetting({ webhooks, sealing }, tenantId, before, { url, rotateSecret }, clock.now())
      await engine.write(made.statements)
      return made.secret?.reveal() ?? ''
    },
    async webhook(tenantId = 'acme') {
      const webhook = await webhooks.find(tenantId)
      if (webhook === null) throw new Error(`${tenantId} has no webhook`)
      return webhook
    },
    /** Rows of the queue. */
    rows: () => engine.read(sql.selectFrom('tenant_webhook_deliveries').selectAll().orderBy('seq').compile()),
    audited: async () =>
      (await engine.read(sql.selectFrom('audit_events').select('event').orderBy('seq').compile())).map(row =>
        JSON.parse(row.event)
      )
  }
}
