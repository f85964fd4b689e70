import { isOver, isOverOrComing } from '../livestream.ts'

/** Events of a vendor that are news (contract#webhook-events): a reason to look. Others are taken, counted and left alone. */
export const heardEvents = ['livestreaming.statusUpdate', 'meeting.started', 'meeting.ended'] as const
export type HeardEvent = (typeof heardEvents)[number]

/** The part of a webhook that Livegate reads: whose news it is, and never what is true now. */
export interface WebhookNews {
  readonly event: HeardEvent
  /** Null where the event names none. */
  readonly livestreamId: string | null
  readonly meetingId: string | null
  /** The session of the meeting that began or ended. A meeting may have a newer one by now. */
  readonly sessionId: string | null
  /** Status of the livestream when the webhook was made. It may have another one by now. */
  readonly status: string | null
}

/** News of something at a vendor account. A status is no part of it: nobody must believe it. */
export interface WebhookNotice extends Omit<WebhookNews, 'status'> {
  readonly upstream: string
}

/**
 * Whether each happening has a text of its own. A livestream's news has neither time nor session in it, so that the next run has
 * the same text as the one before.
 */
export function isUnmistakable({ event }: Pick<WebhookNews, 'event'>): boolean {
  return event !== 'livestreaming.statusUpdate'
}

/** Whether a livestream is known to be otherwise than a webhook says. One of them is old. */
export function contradicts({ status }: Pick<WebhookNews, 'status'>, known: string | null): boolean {
  if (status === null || known === null || status === known) return false
  return !(hasEnded(status) && hasEnded(known))
}

/** The vendors have several words for it. */
function hasEnded(status: string): boolean {
  return isOver(status) || isOverOrComing(status)
}

/** A webhook that is registered at a vendor account (contract#webhook-registration). */
export interface VendorWebhook {
  readonly id: string
  readonly name: string
  readonly url: string
  readonly events: readonly string[]
  readonly enabled: boolean
}

/** Fields of a webhook that its owner chooses. */
export type WebhookWish = Pick<VendorWebhook, 'name' | 'url' | 'events' | 'enabled'>

/** The path under which a gateway takes the webhooks of an upstream. */
export function webhookPath(upstream: string): string {
  return `/webhooks/${upstream}`
}

/** The whole address, below the one at which the public reaches the gateway; a proxy may serve it under a path of its own. */
export function webhookUrl(publicUrl: URL, upstream: string): string {
  return publicUrl.href.replace(/\/+$/, '') + webhookPath(upstream)
}
