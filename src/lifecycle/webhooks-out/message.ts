import { randomBytes, randomUUID } from 'node:crypto'
import { Webhook as Signer } from 'standardwebhooks'
import type { Sealing } from '../../audit/keys/sealing.ts'
import type { RunEvent } from '../../domain/runs/run.ts'
import { shownRunEvent } from '../../domain/runs/shown-run.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { Secret } from '../../domain/values/secret.ts'
import type { Attempt, Webhook } from '../../domain/webhooks/tenant-webhook.ts'
import type { Post } from './post.ts'

/** A message of a webhook (https://www.standardwebhooks.com, specification 1.0). The id stays the same at each attempt. */
export interface Message {
  readonly id: string
  /** JSON: `type`, `timestamp`, `data`. */
  readonly body: string
}

/**
 * An event of a run as its receiver gets it: with what a stream of events shows. Run and type make the id. A warning may come again for a
 * later end, so its id has its time.
 */
export function messageOf(event: RunEvent): Message {
  const { runId, type, atMs } = event
  const again = type === 'livestream.ending_soon' ? `_${atMs}` : ''
  const id = `evt_${runId}_${type.replace('livestream.', '')}${again}`
  return { id, body: bodyOf(type, atMs, shownRunEvent(event)) }
}

/** A message that says nothing but that it arrives. */
export function testMessage(tenantId: string, nowMs: number): Message {
  return { id: `evt_${randomUUID()}_test`, body: bodyOf('webhook.test', nowMs, { tenant: tenantId }) }
}

function bodyOf(type: string, atMs: number, data: object): string {
  return JSON.stringify({ type, timestamp: new Date(atMs).toISOString(), data })
}

/** Length of a secret in bytes; the specification asks for 24 to 64. */
const secretLength = 32

/** A new secret of a webhook, in the form of the specification. */
export function makeWebhookSecret(): Secret {
  return new Secret(`whsec_${randomBytes(secretLength).toString('base64')}`)
}

export interface DeliverDeps {
  post: Post
  sealing: Sealing
  clock: Pick<Clock, 'now'>
}

/** Tries once to deliver a message. Rejects only with the signal's reason. */
export type Deliver = (webhook: Webhook, message: Message, signal: AbortSignal) => Promise<Attempt>

/** Signs a message with the secret, and for a day after a new one with that of before too; and sends it. */
export function deliverer({ post, sealing, clock }: DeliverDeps): Deliver {
  return async (webhook, { id, body }, signal) => {
    const { tenantId, url, secret, previousSecret, previousUntilMs } = webhook
    const now = new Date(clock.now())
    const current = sealing.open(secret, tenantId)
    if (current === null) return { status: null, error: 'secret_lost', durationMs: 0 }
    const isOver = previousSecret === null || now.getTime() >= (previousUntilMs ?? 0)
    const previous = isOver ? null : sealing.open(previousSecret, tenantId)
    const secrets = previous === null ? [current] : [current, previous]
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'livegate',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
      'webhook-signature': secrets.map(one => new Signer(one.reveal()).sign(id, now, body)).join(' ')
    }
    return post({ url, headers, body }, signal)
  }
}
