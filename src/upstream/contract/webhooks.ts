import { type Static, Type } from 'typebox'
import { isVendorId } from '../../domain/id.ts'
import {
  type HeardEvent,
  heardEvents,
  type VendorWebhook,
  type WebhookNews
} from '../../domain/webhooks/vendor-webhook.ts'
import { Envelope, reader, Text } from './contract.ts'
import { at } from './vendor-words.ts'

/** Header fields of a request, by their names in small letters. */
export type HeaderFields = Readonly<Record<string, string | string[] | undefined>>

/** A vendor's way to send webhooks. */
export interface WebhookDialect {
  /** Null when nothing in these header fields could be a signature. */
  readEnvelope(headers: HeaderFields): WebhookEnvelope | null
  readWebhook(body: Buffer): ReadWebhook
  /** The PEM text in the document of the key; null when it has none. */
  readKey(document: unknown): string | null
}

/** Everything about a delivery that stands outside of its body. The signature covers none of it. */
export interface WebhookEnvelope {
  readonly signature: Buffer
  /** The id of the delivery; null where none was sent that could be one. */
  readonly deliveryId: string | null
  /** The id of the webhook that was registered; null likewise. */
  readonly webhookId: string | null
}

/** Both families are met, whatever the documents say (contract#webhook-headers). The first one comes first. */
const families = ['rtk-', 'dyte-'] as const
/** Lengths of signatures by keys from 2,048 bits to 4,096. */
const signatureBytes = { least: 256, most: 512 }
const base64 = /^[A-Za-z0-9+/]{342,684}={0,2}$/

export function readEnvelope(headers: HeaderFields): WebhookEnvelope | null {
  for (const family of families) {
    const signature = readSignature(headers[`${family}signature`])
    if (signature === null) continue
    const id = (name: string): string | null => plainId(headers[`${family}${name}`])
    return { signature, deliveryId: id('uuid'), webhookId: id('webhook-id') }
  }
  return null
}

function readSignature(field: HeaderFields[string]): Buffer | null {
  if (typeof field !== 'string' || !base64.test(field)) return null
  const bytes = Buffer.from(field, 'base64')
  return bytes.length >= signatureBytes.least && bytes.length <= signatureBytes.most ? bytes : null
}

function plainId(field: HeaderFields[string]): string | null {
  return typeof field === 'string' && isVendorId(field) ? field : null
}

/** An event as it was sent; `news` is null for one that Livegate does not know, or cannot read. */
export interface ReadWebhook {
  /** Its name; null when it has none. */
  readonly event: string | null
  readonly news: WebhookNews | null
}

/**
 * Reads the body of a delivery: the ids in it, a status, and nothing else. RealtimeKit sends the stream key with it
 * (contract#livestreaming-status-update), which goes no further than this.
 */
export function readWebhook(body: Buffer): ReadWebhook {
  const told = parse(body)
  const name = at(told, 'event')
  if (typeof name !== 'string') return { event: null, news: null }
  const event = heardEvents.find(one => one === name)
  return { event: name, news: event === undefined ? null : newsOf(event, told) }
}

function newsOf(event: HeardEvent, told: unknown): WebhookNews | null {
  const [livestreamId, meetingId, sessionId] = [
    idIn(at(told, 'streamId')),
    idIn(at(told, 'meeting', 'id')),
    idIn(at(told, 'meeting', 'sessionId'))
  ]
  const isOfLivestream = event === 'livestreaming.statusUpdate'
  const status = isOfLivestream ? at(told, 'status') : null
  if ((isOfLivestream ? livestreamId : meetingId) === null) return null
  return { event, livestreamId, meetingId, sessionId, status: typeof status === 'string' ? status : null }
}

function idIn(value: unknown): string | null {
  return typeof value === 'string' && isVendorId(value) ? value : null
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

/** The form of the key's document is known of one vendor alone (contract#webhook-key): the key itself may stand at its top. */
export function readKey(document: unknown): string | null {
  const pem = at(document, 'data', 'publicKey') ?? at(document, 'publicKey')
  return typeof pem === 'string' ? pem : null
}

const Registered = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 64 }),
  name: Type.Optional(Text),
  url: Type.String(),
  events: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  enabled: Type.Optional(Type.Union([Type.Boolean(), Type.Null()]))
})
const registeredAnswer = reader(Envelope(Registered))
const registeredList = reader(Envelope(Type.Array(Registered)))

/** One that is registered. @throws UpstreamMalformed */
export function readRegistered(body: unknown): VendorWebhook {
  return toWebhook(registeredAnswer(body).data)
}

/** All that are registered. @throws UpstreamMalformed */
export function readRegisteredList(body: unknown): VendorWebhook[] {
  return registeredList(body).data.map(toWebhook)
}

/** One that does not say whether it is enabled is: that is what it is when nobody says anything. */
function toWebhook({ id, name, url, events, enabled }: Static<typeof Registered>): VendorWebhook {
  return { id, name: name ?? '', url, events: events ?? [], enabled: enabled ?? true }
}

/** Dyte's way, and RealtimeKit's. */
export const signedByRsa: WebhookDialect = { readEnvelope, readWebhook, readKey }
