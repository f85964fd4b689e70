import { constants, type KeyObject, verify } from 'node:crypto'
import { Failure, WebhookKeyUnavailable } from '../../domain/refusals/failures.ts'
import type { WebhookKeySource } from '../../domain/upstream-account.ts'
import { type Clock, inTime } from '../../domain/values/clock.ts'
import { readPublicKey } from '../../domain/values/public-key.ts'
import type { WebhookDialect } from '../contract/webhooks.ts'
import type { UpstreamWebhooks } from '../provider.ts'
import { UpstreamClient } from '../transport/client.ts'

export interface WebhookKeyOptions {
  source: WebhookKeySource
  /** The PEM text in the document of the key; null when it has none. */
  readKey(document: unknown): string | null
  /** Longest time of a fetch. */
  deadlineMs: number
  clock: Pick<Clock, 'monotonic'>
  /** Extra trusted certificate authorities in PEM; for tests against an own one. */
  ca?: string | undefined
}

/** After a check that failed the key is asked for at most so often: strangers can make checks fail. */
const askAgainMs = 60_000
/** The same while there is none. */
const askFirstAgainMs = 5_000
/** A key that is older is asked for again beside its use: one that was replaced at its vendor must not be good for ever. */
const oldMs = 86_400_000
/** So long a delivery waits for the key. Dyte hears no answer that takes 3 s (contract#webhook-retries). */
const waitMs = 2_000

/**
 * The key with which a vendor signs its webhooks (contract#webhook-key). It comes from a file, or from the address that publishes it:
 * then it is fetched when it is first needed, kept, and fetched anew after a check that failed, by those who wait together once.
 */
export class WebhookKey {
  readonly #options: WebhookKeyOptions
  #key: KeyObject | null = null
  #fetchedAtMs = Number.NEGATIVE_INFINITY
  #askedAtMs = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | null = null
  #trouble: Error | null = null

  constructor(options: WebhookKeyOptions) {
    this.#options = options
    const { source } = options
    if ('pem' in source) this.#key = readPublicKey(source.pem)
  }

  /** True while the key was needed, and could not be had last. */
  get isMissing(): boolean {
    return this.#trouble !== null
  }

  /**
   * Whether the vendor has signed these bytes (contract#webhook-signature). After a no it is asked for another key, at most once a minute.
   * @throws WebhookKeyUnavailable
   */
  async isSigned(body: Uint8Array, signature: Uint8Array): Promise<boolean> {
    const { clock } = this.#options
    const known = this.#key ?? (await this.get())
    if (this.#isFetched && clock.monotonic() - this.#fetchedAtMs > oldMs) this.#ask()
    if (isBy(known, body, signature)) return true
    if (!this.#isFetched) return false
    await this.#askInTime()
    return this.#key !== null && this.#key !== known && isBy(this.#key, body, signature)
  }

  /** The key, asked for where it is not there yet. @throws WebhookKeyUnavailable */
  async get(): Promise<KeyObject> {
    if (this.#key === null) await this.#askInTime()
    if (this.#key === null) throw new WebhookKeyUnavailable({ cause: this.#trouble, retryAfterSeconds: 5 })
    return this.#key
  }

  /** False for a key of a file, which nothing but the configuration replaces. */
  get #isFetched(): boolean {
    return 'url' in this.#options.source
  }

  async #askInTime(): Promise<void> {
    const asking = this.#ask()
    if (asking !== null) await inTime(asking, AbortSignal.timeout(waitMs))
  }

  /** Asks for the key, together with those who do already. Null when it was asked for a moment ago, or comes from a file. */
  #ask(): Promise<void> | null {
    const { source, clock } = this.#options
    if (this.#asking !== null) return this.#asking
    const pauseMs = this.#key === null ? askFirstAgainMs : askAgainMs
    if (!('url' in source) || clock.monotonic() - this.#askedAtMs < pauseMs) return null
    this.#askedAtMs = clock.monotonic()
    this.#asking = this.#fetch(source)
      .then(
        key => {
          this.#key = key
          this.#fetchedAtMs = clock.monotonic()
          this.#trouble = null
        },
        error => {
          // An old key is better than none: its vendor may be away.
          this.#trouble = error
        }
      )
      .finally(() => {
        this.#asking = null
      })
    return this.#asking
  }

  /** @throws Error that says why there is none */
  async #fetch({ url, proxy }: Extract<WebhookKeySource, { url: URL }>): Promise<KeyObject> {
    const { deadlineMs, ca, readKey } = this.#options
    const client = new UpstreamClient({
      baseUrl: new URL(url.origin),
      proxy,
      connections: 1,
      keepAlive: false,
      ...(ca !== undefined && { ca })
    })
    try {
      const signal = AbortSignal.timeout(deadlineMs)
      const { status, body } = await client.ask({ method: 'GET', path: url.pathname, authorization: null, signal })
      if (status !== 200) throw new Error(`${url.href} answers ${status}`)
      const key = readPublicKey(readKey(body) ?? '')
      if (key === null) throw new Error(`${url.href} does not show a public key of RSA with at least 2048 bits`)
      return key
    } catch (error) {
      throw error instanceof Failure
        ? new Error(`${url.href} could not be asked: ${error.message}`, { cause: error.cause })
        : error
    } finally {
      await client.close()
    }
  }
}

function isBy(key: KeyObject, body: Uint8Array, signature: Uint8Array): boolean {
  return verify('RSA-SHA256', body, { key, padding: constants.RSA_PKCS1_PADDING }, signature)
}

/** Webhooks of an account, in its vendor's way. */
export function webhooksOf(
  { readEnvelope, readWebhook, readKey }: WebhookDialect,
  options: Omit<WebhookKeyOptions, 'readKey'>
): UpstreamWebhooks {
  const key = new WebhookKey({ ...options, readKey })
  return {
    readEnvelope,
    read: readWebhook,
    isGenuine: ({ signature }, body) => key.isSigned(body, signature),
    async demandKey() {
      await key.get()
    },
    get isKeyMissing() {
      return key.isMissing
    }
  }
}
