import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { NotFound, StoreUnavailable, WebhookRefused } from '../../domain/refusals/failures.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import { contradicts, type WebhookNotice } from '../../domain/webhooks/vendor-webhook.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { TakenWebhooks } from '../../store/tables/webhooks-in/taken-webhooks.ts'
import type { HeaderFields, Upstreams, UpstreamWebhooks, WebhookEnvelope } from '../../upstream/provider.ts'
import type { Noticed } from './noticing.ts'
import type { WebhookTally } from './tally.ts'

export interface WebhooksDeps {
  upstreams: Upstreams
  deliveries: Pick<TakenWebhooks, 'take' | 'noticed' | 'open'>
  livestreams: Pick<Livestreams, 'statusOf'>
  tally: Pick<WebhookTally, 'count' | 'countRefused'>
  noticed: Noticed
  clock: Clock
  log: Record<'info' | 'warn', (facts: object, message: string) => void>
}

/** A webhook that its vendor has signed. */
export interface ProvedWebhook {
  readonly upstream: string
  readonly envelope: WebhookEnvelope
  readonly body: Buffer
}

/** Webhooks of vendors. */
export interface VendorWebhooks {
  /** Looks at the head of a call alone. @throws NotFound, and WebhookRefused when it cannot be a webhook */
  demandSigned(upstream: string, headers: HeaderFields): void
  /** @throws NotFound, WebhookRefused, WebhookKeyUnavailable, StoreUnavailable when too many come at once */
  prove(upstream: string, headers: HeaderFields, body: Buffer): Promise<ProvedWebhook>
  /**
   * Takes it, durably, and looks behind the answer at what it tells of. One that was taken before, or tells of nothing that Livegate
   * knows, is counted and left alone. @throws StoreUnavailable: then the vendor sends it again
   */
  take(webhook: ProvedWebhook): Promise<void>
  /** Looks after those that an earlier process has taken a moment ago. @throws what the store throws */
  resume(): Promise<void>
}

/** So many are under way at once: each has its body in memory, and waits for the key or the store. */
const mostUnderWay = 256
/** Dyte hears no answer that takes 3 s (contract#webhook-retries), and the key may have taken 2 s of them. */
const takenWithinMs = 1_000
/** So many of one subject at once, and one more in each pause. A vendor has less to say of it; what was signed once can be sent again and again. */
const pace = { burst: 30, everyMs: 2_000 }
/** Older ones are left to reconciliation. */
const resumedForMs = 3_600_000
const mostResumed = 1_000
/** Names of unknown events that the log has told of. */
const mostNames = 50

export function webhooks({
  upstreams,
  deliveries,
  livestreams,
  tally,
  noticed,
  clock,
  log
}: WebhooksDeps): VendorWebhooks {
  let underWay = 0
  /** By subject: when nothing of its pace is spent any more. */
  const spentUntilMs = new LRUCache<string, number>(upTo(10_000))
  const told = new Set<string>()

  async function bounded<T>(work: () => Promise<T>): Promise<T> {
    if (underWay >= mostUnderWay) throw new StoreUnavailable({ retryAfterSeconds: 1 })
    underWay += 1
    try {
      return await work()
    } finally {
      underWay -= 1
    }
  }

  function lookAfter(seq: number, notice: WebhookNotice): void {
    const trouble = tellTrouble(
      log,
      'warn',
      { event: 'vendor_webhook_unmarked' },
      'a webhook could not be marked as looked after'
    )
    noticed(notice)
      .then(isDone => (isDone ? deliveries.noticed([seq], clock.now()) : undefined))
      .catch(trouble)
  }

  /** Whether more of this came than a vendor would say. */
  function isCrowded({ upstream, meetingId, livestreamId }: WebhookNotice): boolean {
    const key = [upstream, livestreamId ?? meetingId].join('/')
    const nowMs = clock.monotonic()
    const untilMs = Math.max(nowMs, spentUntilMs.get(key) ?? nowMs) + pace.everyMs
    if (untilMs - nowMs > pace.burst * pace.everyMs) return true
    spentUntilMs.set(key, untilMs)
    return false
  }

  /** The next run of a livestream is told of in the words of before. */
  async function isNewsAgain({ livestreamId, upstream }: WebhookNotice, status: string | null): Promise<boolean> {
    if (livestreamId === null || status === null) return false
    return contradicts({ status }, await livestreams.statusOf(livestreamId, upstream))
  }

  function tellUnknown(upstream: string, event: string | null): void {
    const name = event !== null && /^[\w.]{1,64}$/.test(event) ? event : null
    const key = `${upstream}/${name}`
    if (told.has(key) || told.size >= mostNames) return
    told.add(key)
    log.info(
      { event: 'vendor_webhook_unknown', upstream, webhook_event: name },
      'webhooks of this event are not known here: they are counted alone'
    )
  }

  return {
    demandSigned(upstream, headers) {
      demandEnvelope(webhooksOf(upstreams, upstream), headers)
    },

    prove(upstream, headers, body) {
      const vendor = webhooksOf(upstreams, upstream)
      const envelope = demandEnvelope(vendor, headers)
      return bounded(async () => {
        if (await vendor.isGenuine(envelope, body)) return { upstream, envelope, body }
        tally.countRefused(upstream, envelope.webhookId)
        throw new WebhookRefused()
      })
    },

    take({ upstream, envelope: { deliveryId }, body }) {
      const { event, news } = webhooksOf(upstreams, upstream).read(body)
      if (news === null) {
        tally.count(upstream, 'unknown')
        tellUnknown(upstream, event)
        return Promise.resolve()
      }
      const { status, ...about } = news
      const notice = { upstream, ...about }
      return bounded(async () => {
        const isTooMuch = isCrowded(notice)
        const bodyDigest = createHash('sha256').update(body).digest('hex')
        const seq = isTooMuch
          ? null
          : await deliveries.take({ ...notice, deliveryId, bodyDigest }, clock.now(), takenWithinMs)
        tally.count(upstream, seq === null ? 'repeated' : 'taken')
        if (seq !== null) return lookAfter(seq, notice)
        // The last one of a crowd may be news: a look that begins now sees it, and all of them share one.
        if (isTooMuch || (await isNewsAgain(notice, status))) void noticed(notice)
      })
    },

    async resume() {
      for (const { seq, ...notice } of await deliveries.open(clock.now() - resumedForMs, mostResumed))
        lookAfter(seq, notice)
    }
  }
}

/** @throws NotFound */
function webhooksOf(upstreams: Upstreams, upstream: string): UpstreamWebhooks {
  const known = upstreams.get(upstream)
  if (known === undefined) throw new NotFound()
  return known.webhooks
}

/** @throws WebhookRefused */
function demandEnvelope(vendor: UpstreamWebhooks, headers: HeaderFields): WebhookEnvelope {
  const envelope = vendor.readEnvelope(headers)
  if (envelope === null) throw new WebhookRefused()
  return envelope
}
