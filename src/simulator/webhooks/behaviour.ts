import { type HeaderFamily, headerFamilies } from '../dialects/webhook-headers.ts'
import { assertFields, boolean, number, oneOf, type Rules } from '../rules.ts'

/** How webhooks are sent. The vendors say little of it (contract#webhook-retries). */
export interface WebhookBehaviour {
  /** So often each is sent; 0: never. */
  times: number
  /** Real milliseconds from the news to the first sending, whatever clock was injected. */
  delayMs: number
  /** `random`: each waits for up to twice as long as `delayMs`, at least up to a second, so that later ones overtake earlier ones. */
  order: 'sent' | 'random'
  /** Whether what is sent again has the delivery id of before (contract#webhook-delivery-id). */
  repeatId: 'same' | 'new'
  /** The family of header fields (contract#webhook-headers). */
  headers: HeaderFamily | 'both'
  /** Pause before a delivery that failed is sent again; it is, three times (contract#webhook-retries). */
  retryMs: number
  /** Nothing is sent by itself: it waits to be released, in any order. */
  hold: boolean
}

const rules: Record<keyof WebhookBehaviour, Rules[string]> = {
  times: number(0, 100),
  delayMs: number(0, 3_600_000, true),
  order: oneOf('sent', 'random'),
  repeatId: oneOf('same', 'new'),
  headers: oneOf(...headerFamilies, 'both'),
  retryMs: number(0, 3_600_000, true),
  hold: boolean
}

/** @throws TypeError or RangeError that names the field */
export function changed(before: WebhookBehaviour, change: Partial<WebhookBehaviour>): WebhookBehaviour {
  assertFields('webhooks', rules, change)
  return { ...before, ...change }
}

/** Families of header fields that a delivery carries. */
export function familiesOf({ headers }: Pick<WebhookBehaviour, 'headers'>): readonly HeaderFamily[] {
  return headers === 'both' ? headerFamilies : [headers]
}
