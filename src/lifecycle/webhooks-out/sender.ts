import { randomUUID } from 'node:crypto'
import { toAuditEvent } from '../../audit/ocsf.ts'
import { placeOf } from '../../domain/id.ts'
import type { Observer } from '../../domain/observer.ts'
import type { Replicas } from '../../domain/replicas.ts'
import { type Clock, Loop, notSetForward } from '../../domain/values/clock.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import {
  type Attempt,
  disableAfterMs,
  giveUpAfterMs,
  hostOf,
  retryPauseMs,
  type Webhook
} from '../../domain/webhooks/tenant-webhook.ts'
import { type Engine, type Statement, writeIf } from '../../store/engine/engine.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { RunEventRows } from '../../store/tables/runs/run-events.ts'
import type { Delivery, WebhookDeliveries } from '../../store/tables/webhooks-out/deliveries.ts'
import type { TenantWebhooks } from '../../store/tables/webhooks-out/webhooks.ts'
import type { RunChange, RunChanges } from '../ledger/hub.ts'
import { type Deliver, messageOf } from './message.ts'

export interface WebhookSenderDeps {
  engine: Pick<Engine, 'write'>
  webhooks: Pick<TenantWebhooks, 'find' | 'enabled' | 'behind' | 'queued' | 'noted' | 'disabled'>
  deliveries: Pick<WebhookDeliveries, 'added' | 'dueTenants' | 'take' | 'nextAtMs' | 'ended' | 'released'>
  events: Pick<RunEventRows, 'after'>
  hub: RunChanges
  /** Says that a command may have changed a webhook. */
  onWorkLeft: Directory['onWorkLeft']
  auditEvents: Pick<AuditEvents, 'append'>
  deliver: Deliver
  log: Record<'warn' | 'error', (facts: object, message: string) => void>
  clock: Clock
  observer?: Pick<Observer, 'delivery' | 'deliveryGivenUp' | 'webhookDisabled'> | undefined
  /** Pause after the first failure. */
  firstPauseMs: number
  replicas?: Pick<Replicas, 'leads' | 'isOnly' | 'onLead'>
  /** Attempts at the same time, of all tenants (128). */
  mostAtOnce?: number
}

/** The store is asked again so long after it failed, and among several replicas. */
const retryAfterMs = 1_000
/** While something waits it is looked at so often at least: the wall clock may be set. */
const longestWaitMs = 30_000
/** Longer than any attempt, with its writes. After a crash its rows are free again then. */
const leaseMs = 30_000
/** Attempts at the same time: of one tenant, whose receiver may hang, and of all. */
const mostOfTenant = 4
const usualMostAtOnce = 128
const eventsAStep = 200

/**
 * Delivers the events of runs to the webhooks of their tenants: at least once, and in order within a meeting. What is to be delivered are
 * rows; a process takes one with a lease, so that another can go on where one ends. The store is asked after an event of a tenant with a webhook, and
 * when an attempt is due.
 */
export class WebhookSender {
  readonly #deps: WebhookSenderDeps
  readonly #owner = randomUUID()
  /** For ages: a clock that is set forward gives nothing up. */
  readonly #steady: Clock
  readonly #ending = new AbortController()
  readonly #loop: Loop
  readonly #underWay = new Map<Promise<void>, string>()
  /** Tenants that are told of events, as the last round has seen. */
  #told: ReadonlySet<string> = new Set()
  #unfollow = (): unknown => null
  /** Null while nobody is told. */
  #unsubscribe: (() => void) | null = null

  constructor(deps: WebhookSenderDeps) {
    this.#deps = deps
    this.#steady = notSetForward(deps.clock)
    const trouble = 'events cannot be delivered to webhooks: tried again'
    const onTrouble = tellTrouble(deps.log, 'error', { event: 'webhook_deliveries_failed' }, trouble)
    this.#loop = new Loop({ round: () => this.#round(), onTrouble })
  }

  /** Begins with what waits, and follows the hub. */
  start(): void {
    const ends = [this.#deps.onWorkLeft(() => this.wake()), this.#deps.replicas?.onLead(() => this.wake())]
    this.#unfollow = () => ends.map(end => end?.())
    this.wake()
  }

  /** Looks at once for what is to be delivered. */
  wake(): void {
    this.#loop.wake()
  }

  /** Lets go of everything: attempts under way are broken off and count for nothing, since their receiver may have them. */
  async close(): Promise<void> {
    this.#unfollow()
    this.#unsubscribe?.()
    this.#ending.abort()
    await this.#loop.close()
    await Promise.all(this.#underWay.keys())
  }

  async #round(): Promise<void> {
    const { clock, webhooks, deliveries, replicas } = this.#deps
    if (replicas?.leads() === false) return
    let nextMs: number | null = retryAfterMs
    try {
      this.#follow(await webhooks.enabled())
      for (const { tenantId, afterSeq } of await webhooks.behind()) await this.#queue(tenantId, afterSeq)
      await this.#take()
      const nowMs = clock.now()
      const nextAtMs = await deliveries.nextAtMs(nowMs)
      nextMs = nextAtMs === null ? null : Math.min(longestWaitMs, nextAtMs - nowMs)
      if (replicas?.isOnly === false) nextMs = Math.min(nextMs ?? retryAfterMs, retryAfterMs)
    } finally {
      if (nextMs !== null) this.#loop.wake(Math.max(1, nextMs))
    }
  }

  /** Hears of the events of these tenants. Those that come meanwhile are read behind it. */
  #follow(tenants: readonly string[]): void {
    if (this.#ending.signal.aborted) return
    this.#told = new Set(tenants)
    const isNews = ({ run, events }: RunChange): boolean => events.length > 0 && this.#told.has(run.tenantId)
    if (tenants.length > 0)
      this.#unsubscribe ??= this.#deps.hub.subscribe(changes => {
        if (changes.some(isNews)) this.wake()
      })
    else {
      this.#unsubscribe?.()
      this.#unsubscribe = null
    }
  }

  /** Makes a row of each event of a tenant that has none. */
  async #queue(tenantId: string, afterSeq: number): Promise<void> {
    const { engine, events, webhooks, deliveries, clock } = this.#deps
    const some = await events.after(afterSeq, { tenantId, limit: eventsAStep })
    const rows = some.map(event => {
      const { id: messageId, body } = messageOf(event)
      const place = placeOf({ id: event.meetingId ?? event.livestreamId ?? event.runId, upstream: event.upstream })
      return deliveries.added({ seq: event.seq, tenantId, place, messageId, body, queuedAtMs: clock.now() })
    })
    const lastSeq = some.at(-1)?.seq ?? afterSeq
    await writeIf(engine, [webhooks.queued(tenantId, afterSeq, lastSeq), ...rows])
    if (some.length === eventsAStep) this.wake()
  }

  async #take(): Promise<void> {
    const { clock, deliveries, mostAtOnce = usualMostAtOnce } = this.#deps
    const lease = { owner: this.#owner, leaseMs, nowMs: clock.now() }
    const due = await deliveries.dueTenants(lease)
    const underWay = (tenantId: string): number => [...this.#underWay.values()].filter(one => one === tenantId).length
    // Receivers that hang have the oldest rows all the time: whoever has fewer attempts under way comes before them.
    for (const tenantId of due.toSorted((one, other) => underWay(one) - underWay(other))) {
      const room = Math.min(mostOfTenant - underWay(tenantId), mostAtOnce - this.#underWay.size)
      if (room <= 0) continue
      for (const delivery of await deliveries.take(tenantId, lease, room)) this.#begin(delivery)
    }
  }

  #begin(delivery: Delivery): void {
    const work = this.#deliver(delivery)
      // Its lease ends by itself: then it is tried again, with the same id.
      .catch(
        tellTrouble(
          this.#deps.log,
          'error',
          { event: 'webhook_result_not_kept', seq: delivery.seq },
          'the result of a delivery could not be kept'
        )
      )
      .finally(() => {
        this.#underWay.delete(work)
        this.wake()
      })
    this.#underWay.set(work, delivery.tenantId)
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { engine, webhooks, deliveries, deliver, clock, observer, firstPauseMs } = this.#deps
    const webhook = await webhooks.find(delivery.tenantId)
    // Its rows went with it.
    if (webhook === null || webhook.disabledAtMs !== null) return
    const { attempts: failed } = delivery
    let attempt: Attempt
    try {
      attempt = await deliver(webhook, { id: delivery.messageId, body: delivery.body }, this.#ending.signal)
    } catch {
      await engine.write([deliveries.released(delivery, this.#owner, { attempts: failed, nextAtMs: clock.now() })])
      return
    }
    observer?.delivery(attempt.error ?? 'delivered', attempt.durationMs)
    const nowMs = clock.now()
    if (attempt.error === null) {
      const ended = deliveries.ended(delivery, this.#owner)
      const isNoted = await writeIf(engine, [ended, webhooks.noted(webhook, attempt, nowMs, null, 0)])
      if (!isNoted) await engine.write([ended])
      return
    }
    const isOver = this.#steady.now() - delivery.queuedAtMs >= giveUpAfterMs
    const attempts = failed + 1
    const nextAtMs = nowMs + retryPauseMs(attempts, firstPauseMs)
    const sinceMs = failingSince(webhook, nowMs)
    const rows = [
      isOver
        ? deliveries.ended(delivery, this.#owner)
        : deliveries.released(delivery, this.#owner, { attempts, nextAtMs }),
      webhooks.noted(webhook, attempt, nowMs, sinceMs, isOver ? 1 : 0)
    ]
    const mayDisable = this.#steady.now() - sinceMs >= disableAfterMs
    const isDisabled = mayDisable && (await writeIf(engine, [...rows, ...this.#disabling(webhook, nowMs, sinceMs)]))
    if (!isDisabled && !(await writeIf(engine, rows))) {
      // It was set meanwhile: what failed is the address or the secret of before, and nothing is held against the new one.
      await engine.write([deliveries.released(delivery, this.#owner, { attempts: failed, nextAtMs: nowMs })])
      return
    }
    if (isOver) observer?.deliveryGivenUp()
    if (isDisabled) observer?.webhookDisabled()
    if (isDisabled) this.#tell(webhook, attempt, 'a webhook is disabled: nothing was delivered for three days')
    else if (isOver) this.#tell(webhook, attempt, 'an event was not delivered within a day: it is given up')
  }

  #disabling(webhook: Webhook, nowMs: number, failingSinceMs: number): Statement[] {
    const { webhooks, auditEvents } = this.#deps
    const subject = {
      action: 'disableWebhook',
      method: 'PUT',
      tenantId: webhook.tenantId,
      keyId: null,
      actor: { type: 'Gateway' as const, uid: 'webhooks' },
      address: null,
      requestId: randomUUID(),
      resources: [{ type: 'webhook' as const, uid: hostOf(webhook.url) }]
    }
    const event = toAuditEvent(subject, { outcome: 'done', type: 'failing_for_days' }, nowMs)
    return [...webhooks.disabled(webhook, nowMs, failingSinceMs), auditEvents.append(event)]
  }

  #tell({ tenantId, url }: Webhook, { status, error }: Attempt, message: string): void {
    this.#deps.log.warn({ event: 'webhook_failing', tenant: tenantId, host: hostOf(url), status, error }, message)
  }
}

/** Time of the first failure in a row. After a day without an attempt a new row begins: nothing was tried, so nothing has failed. */
function failingSince({ failingSinceMs, failedAtMs }: Webhook, nowMs: number): number {
  const goesOn = failingSinceMs !== null && failedAtMs !== null && nowMs - failedAtMs < giveUpAfterMs
  return goesOn ? failingSinceMs : nowMs
}
