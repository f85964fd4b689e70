import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { VendorState } from '../state/state.ts'
import { changed, familiesOf, type WebhookBehaviour } from './behaviour.ts'
import type { WebhookEvent } from './events.ts'
import { News } from './news.ts'
import { isKnownEvent, RegisteredWebhooks, type Webhook } from './registered.ts'
import { SigningKey } from './signing-key.ts'

/** A delivery: one event for one webhook. */
export interface WebhookDelivery {
  /** The delivery id of its first sending. */
  readonly id: string
  readonly webhookId: string
  readonly url: string
  readonly event: string
  /** The bytes that are signed. RealtimeKit's have stream keys in them. */
  readonly body: string
}

/** One sending of a delivery, and its answer. */
export interface SentWebhook extends WebhookDelivery {
  /** As the header field has it. */
  readonly deliveryId: string
  /** Epoch milliseconds of the machine. */
  readonly at: number
  /** The answer; null when none came. */
  readonly status: number | null
}

/** Longest wait for an answer (contract#webhook-retries). */
const answerWithinMs = 3_000
const retries = 3
const lookEveryMs = 20

/** The webhooks of a simulated account: who has asked for them, what there is to tell, and how it is sent. */
export class SimulatedWebhooks {
  readonly registered: RegisteredWebhooks
  readonly key = new SigningKey()
  /** Everything that was sent, in the order in which the answers came. */
  readonly sent: SentWebhook[] = []
  readonly #news: News
  readonly #closing: AbortSignal
  #behaviour: WebhookBehaviour
  #held: WebhookDelivery[] = []
  readonly #underWay = new Set<Promise<void>>()
  #looking: NodeJS.Timeout | undefined

  constructor(state: VendorState, closing: AbortSignal) {
    const { settings } = state
    this.registered = new RegisteredWebhooks(() => state.now())
    this.#news = new News(state)
    this.#closing = closing
    this.#behaviour = {
      times: settings.webhookTimes,
      delayMs: settings.webhookDelayMs,
      order: settings.webhookOrder,
      repeatId: settings.webhookRepeatId,
      headers: settings.webhookHeaders,
      retryMs: 1_000,
      hold: false
    }
    closing.addEventListener('abort', () => clearInterval(this.#looking))
  }

  /** A new webhook hears of what happens from now on. @throws Refusal 400 */
  register(body: Record<string, unknown>): Webhook {
    this.look()
    const webhook = this.registered.add(body)
    this.#looking ??= setInterval(() => this.look(), lookEveryMs).unref()
    return webhook
  }

  /** How they are sent from now on. @throws TypeError or RangeError that names the field */
  behave(change: Partial<WebhookBehaviour>): void {
    this.#behaviour = changed(this.#behaviour, change)
  }

  /** Tells of what has happened since the last look. It is done by itself each few milliseconds while there is a webhook. */
  look(): void {
    for (const event of this.#news.look()) this.tell(event)
  }

  /** Tells each webhook that has asked for it, or of an event that nobody can ask for, each of them. */
  tell(event: WebhookEvent): void {
    const body = JSON.stringify(event)
    for (const { id: webhookId, url, events, enabled } of this.registered.all()) {
      const isWanted = events.includes(event.event) || !isKnownEvent(event.event)
      if (!enabled || !isWanted) continue
      const delivery = { id: randomUUID(), webhookId, url, event: event.event, body }
      if (this.#behaviour.hold) this.#held.push(delivery)
      else this.#begin(delivery)
    }
  }

  /** Deliveries that wait to be released. */
  waiting(): readonly WebhookDelivery[] {
    return this.#held
  }

  /**
   * Sends deliveries that wait, in the order in which they are named; default: all. One that is named twice is sent twice. The promise
   * ends with the last answer. @throws RangeError for one that does not wait
   */
  release(ids: readonly string[] = this.#held.map(({ id }) => id)): Promise<void> {
    const wanted = ids.map(id => {
      const found = this.#held.find(delivery => delivery.id === id)
      if (found === undefined) throw new RangeError(`webhooks: no delivery ${id} waits`)
      return found
    })
    this.#held = this.#held.filter(({ id }) => !ids.includes(id))
    return this.#sendEach(wanted)
  }

  /** Waits until all that has happened so far was sent, or could not be. */
  async idle(): Promise<void> {
    this.look()
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  async #sendEach(deliveries: readonly WebhookDelivery[]): Promise<void> {
    for (const delivery of deliveries) await this.#send(delivery, delivery.id)
  }

  #begin(delivery: WebhookDelivery): void {
    const sending = this.#sendAll(delivery)
      // The simulator has come to its end.
      .catch(() => {})
      .finally(() => this.#underWay.delete(sending))
    this.#underWay.add(sending)
  }

  async #sendAll(delivery: WebhookDelivery): Promise<void> {
    const { times, delayMs, order, repeatId } = this.#behaviour
    const wait = order === 'random' ? Math.random() * 2 * Math.max(delayMs, 500) : delayMs
    if (wait > 0) await this.#pause(wait)
    for (let i = 0; i < times; i++) {
      await this.#deliver(delivery, i === 0 || repeatId === 'same' ? delivery.id : randomUUID())
    }
  }

  /** Sends it until somebody has taken it, four times at most. Only a 5xx and the lack of an answer are a reason to send it again. */
  async #deliver(delivery: WebhookDelivery, deliveryId: string): Promise<void> {
    for (let tries = 0, id = deliveryId; ; tries++) {
      const status = await this.#send(delivery, id)
      const { repeatId, retryMs } = this.#behaviour
      if ((status !== null && status < 500) || tries === retries) return
      await this.#pause(retryMs)
      if (repeatId === 'new') id = randomUUID()
    }
  }

  async #send(delivery: WebhookDelivery, deliveryId: string): Promise<number | null> {
    const { url, body, webhookId } = delivery
    const signature = this.key.sign(body)
    const fields = familiesOf(this.#behaviour).map(family => ({
      [`${family}-signature`]: signature,
      [`${family}-uuid`]: deliveryId,
      [`${family}-webhook-id`]: webhookId
    }))
    const status = await fetch(url, {
      method: 'POST',
      headers: Object.assign({ 'content-type': 'application/json' }, ...fields),
      body,
      redirect: 'manual',
      signal: AbortSignal.any([this.#closing, AbortSignal.timeout(answerWithinMs)])
    }).then(
      async answer => {
        await answer.body?.cancel()
        return answer.status
      },
      () => null
    )
    this.#closing.throwIfAborted()
    this.sent.push({ ...delivery, deliveryId, at: Date.now(), status })
    return status
  }

  async #pause(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#closing, ref: false })
  }
}
