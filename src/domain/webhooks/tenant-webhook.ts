import { type Static, Type } from 'typebox'
import { type Network, parseAddress } from '../values/address.ts'
import { mayBeCalled } from '../values/public-address.ts'
import { Nullable } from '../values/schema.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** An event is tried for so long. */
export const giveUpAfterMs = dayMs
/** Longest pause between two attempts. */
export const longestPauseMs = hourMs
/** A webhook at which every attempt of so long has failed is disabled. */
export const disableAfterMs = 3 * dayMs
/** For so long after a new secret both sign. */
export const bothSecretsMs = dayMs

/** The pause after so many failures in a row: each is five times as long as the one before. */
export function retryPauseMs(failures: number, firstMs: number): number {
  return Math.min(firstMs * 5 ** (failures - 1), longestPauseMs)
}

/**
 * Reasons why an attempt has failed. `no_address`: the name leads to no address that may be called. `status`: the answer was no 2xx.
 * `redirect`: it leads elsewhere, and is not followed. `secret_lost`: the gateway can't read the secret any more.
 */
export const deliveryErrors = ['no_address', 'unreachable', 'timeout', 'redirect', 'status', 'secret_lost'] as const
export type DeliveryError = (typeof deliveryErrors)[number]

/** One attempt to deliver an event. */
export interface Attempt {
  /** HTTP status of the answer; null when there was none. */
  readonly status: number | null
  /** Null: it was delivered. */
  readonly error: DeliveryError | null
  readonly durationMs: number
}

/** A tenant's webhook: the address of its own that is told of its broadcast runs. Times are epoch milliseconds. */
export interface Webhook {
  readonly tenantId: string
  readonly url: string
  /** Sealed (`audit/keys/sealing.ts`), like the one before it, which signs as well until its time is over. */
  readonly secret: string
  readonly previousSecret: string | null
  readonly previousUntilMs: number | null
  /** Number of the last event that is queued. */
  readonly afterSeq: number
  /** Time of the first failure since something was delivered, and of the last one. */
  readonly failingSinceMs: number | null
  readonly failedAtMs: number | null
  readonly disabledAtMs: number | null
  /** So many events were given up. */
  readonly givenUp: number
  readonly last: (Attempt & { readonly atMs: number }) | null
  readonly createdAtMs: number
  readonly updatedAtMs: number
  /** Counts what was set. */
  readonly revision: number
}

const maxUrlLength = 2_048

/** An address of a tenant's own; `faultOfUrl` says more exactly what it must be. */
export const WebhookUrl = Type.String({
  minLength: 1,
  maxLength: maxUrlLength,
  description: 'Begins with `https://`, and leads to a public address. Redirects are not followed',
  examples: ['https://hooks.example.com/livegate']
})

const Milliseconds = Type.Integer({ minimum: 0, examples: [41] })
const Status = Nullable(Type.Integer({ minimum: 100, maximum: 999, description: 'HTTP status of the answer' }))
const ErrorWord = Nullable(Type.Enum([...deliveryErrors], { description: 'Null: it was delivered' }))
const Time = (description: string) => Nullable(Type.String({ maxLength: 24, description }))

/** The result of one attempt, as a tenant may see it: nothing of the answer but its status. */
export const ShownAttempt = Type.Object({ status: Status, error: ErrorWord, duration_ms: Milliseconds })
export type ShownAttempt = Static<typeof ShownAttempt>

/** A webhook as its tenant may see it. */
export const ShownWebhook = Type.Object({
  url: WebhookUrl,
  created_at: Type.String({ maxLength: 24, examples: ['2026-11-30T20:00:00.000Z'] }),
  updated_at: Type.String({ maxLength: 24, examples: ['2026-11-30T20:00:00.000Z'] }),
  previous_secret_until: Time('Until then the secret of before signs as well'),
  waiting: Type.Integer({ minimum: 0, description: 'Events that are not delivered yet' }),
  given_up: Type.Integer({ minimum: 0, description: 'Events that were given up, each after 24 hours' }),
  failing_since: Time('Time of the first failure since something was delivered'),
  disabled_at: Time('It is sent nothing any more. Setting it again enables it'),
  last_attempt: Nullable(Type.Object({ at: Type.String({ maxLength: 24 }), ...ShownAttempt.properties }))
})
export type ShownWebhook = Static<typeof ShownWebhook>

/** The same with its secret, where that is new. */
export const ShownWebhookWithSecret = Type.Object({
  ...ShownWebhook.properties,
  secret: Type.Optional(
    Type.String({
      maxLength: 64,
      description: 'Shown this once. It is there when the webhook is new, and after `rotate_secret`',
      examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']
    })
  )
})
export type ShownWebhookWithSecret = Static<typeof ShownWebhookWithSecret>

export function showAttempt({ status, error, durationMs }: Attempt): ShownAttempt {
  return { status, error, duration_ms: durationMs }
}

/** @param waiting so many events are not delivered yet */
export function showWebhook(webhook: Webhook, waiting: number): ShownWebhook {
  const { url, last, givenUp } = webhook
  return {
    url,
    created_at: iso(webhook.createdAtMs),
    updated_at: iso(webhook.updatedAtMs),
    previous_secret_until: webhook.previousUntilMs === null ? null : iso(webhook.previousUntilMs),
    waiting,
    given_up: givenUp,
    failing_since: webhook.failingSinceMs === null ? null : iso(webhook.failingSinceMs),
    disabled_at: webhook.disabledAtMs === null ? null : iso(webhook.disabledAtMs),
    last_attempt: last && { at: iso(last.atMs), ...showAttempt(last) }
  }
}

/** Host and port of a webhook, for the audit log: the rest of its address may be a secret. */
export function hostOf(url: string): string {
  return new URL(url).host.slice(0, 64)
}

/**
 * The reason why an address can't be a webhook, in words that go on from its name; null when it can. A name is not looked up here: each
 * delivery does that.
 * @param networks private networks that may be called, also without TLS
 */
export function faultOfUrl(text: string, networks: readonly Network[]): string | null {
  const url = URL.parse(text)
  const isPlain = url?.protocol === 'http:'
  const isHttp = isPlain || url?.protocol === 'https:'
  if (url === null || !isHttp || text.length > maxUrlLength || /[\s\p{Cc}\\]/u.test(text))
    return 'must be an address like https://hooks.example.com/livegate'
  if (isPlain && networks.length === 0)
    return 'must begin with https:// (http:// is for private networks that the operator allows)'
  if (url.username !== '' || url.password !== '') return 'must have no user and no password'
  if (url.hash !== '') return 'must have no fragment (#)'
  const address = parseAddress(hostnameOf(url))
  if (address !== null && !mayBeCalled(address, { isPlain, networks })) return 'must lead to a public address'
  return null
}

/** The host as a name or a plain address: in a URL that of IPv6 has brackets. */
export function hostnameOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '')
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
