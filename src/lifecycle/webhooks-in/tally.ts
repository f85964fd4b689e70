import type { Observer } from '../../domain/observer.ts'
import { type Clock, Loop } from '../../domain/values/clock.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import { noWebhooks, type WebhookCount, type WebhookCounts } from '../../store/tables/webhooks-in/counts.ts'

export interface TallyDeps {
  counts: Pick<WebhookCounts, 'add'>
  clock: Pick<Clock, 'now'>
  observer?: Pick<Observer, 'vendorWebhook'> | undefined
  log: { warn(facts: object, message: string): void }
  writeAfterMs?: number
}

/** Counts what comes, and writes it down now and then: a stranger who is refused must not cost a write each time. */
export class WebhookTally {
  readonly #deps: TallyDeps & { writeAfterMs: number }
  #counts = new Map<string, WebhookCount>()
  readonly #loop: Loop
  readonly #tellTrouble: (err: unknown) => void

  constructor(deps: TallyDeps) {
    this.#deps = { writeAfterMs: 5_000, ...deps }
    this.#tellTrouble = tellTrouble(
      deps.log,
      'warn',
      { event: 'vendor_webhook_counts_failed' },
      'counts of webhooks could not be written'
    )
    this.#loop = new Loop({ round: () => this.#write(), onTrouble: this.#tellTrouble })
  }

  count(upstream: string, what: 'taken' | 'repeated' | 'unknown'): void {
    this.#deps.observer?.vendorWebhook(upstream, what)
    const counts = this.#of(upstream)
    counts[what] += 1
    // A repeated one shows as well that they arrive.
    counts.takenAtMs = this.#deps.clock.now()
  }

  /** @param webhookId the one that it named, which nothing proves */
  countRefused(upstream: string, webhookId: string | null): void {
    this.#deps.observer?.vendorWebhook(upstream, 'refused')
    const counts = this.#of(upstream)
    counts.refused += 1
    counts.refusedAtMs = this.#deps.clock.now()
    counts.refusedWebhookId = webhookId
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    await this.#loop.close()
    await this.#write().catch(this.#tellTrouble)
  }

  #of(upstream: string): WebhookCount {
    const counts = this.#counts.get(upstream) ?? { ...noWebhooks }
    this.#counts.set(upstream, counts)
    this.#loop.wake(this.#deps.writeAfterMs)
    return counts
  }

  async #write(): Promise<void> {
    const counts = this.#counts
    if (counts.size === 0) return
    this.#counts = new Map()
    await this.#deps.counts.add(counts)
  }
}
