import { randomUUID } from 'node:crypto'
import { iso, Refusal } from '../answers.ts'
import { boolean, isObject, type Rule, type Rules, string, text, uuid } from '../rules.ts'

/** Every event that a webhook can ask for (contract#webhook-events). */
export const webhookEvents = [
  'meeting.started',
  'meeting.ended',
  'meeting.participantJoined',
  'meeting.participantLeft',
  'meeting.chatSynced',
  'recording.statusUpdate',
  'livestreaming.statusUpdate',
  'meeting.transcript',
  'meeting.summary'
] as const

/** A webhook that was registered (contract#webhook-registration). */
export interface Webhook {
  id: string
  name: string
  url: string
  events: string[]
  enabled: boolean
  createdAt: number
  updatedAt: number
}

/** Whether a webhook can ask for it. */
export function isKnownEvent(one: unknown): boolean {
  return webhookEvents.some(event => event === one)
}

const events: Rule = {
  says: `an array of [${webhookEvents.join(', ')}]`,
  kind: value => Array.isArray(value) && value.every(isKnownEvent)
}
const rules: Rules = {
  name: string,
  url: text('a valid uri', value => /^https?:$/.test(URL.parse(value)?.protocol ?? '')),
  events,
  enabled: boolean
}

/** The webhooks of an account. */
export class RegisteredWebhooks {
  readonly #webhooks = new Map<string, Webhook>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  all(): Webhook[] {
    return [...this.#webhooks.values()]
  }

  /** @throws Refusal 400 */
  add(body: Record<string, unknown>): Webhook {
    const at = this.#now()
    const fields = { enabled: true, ...checked(body, ['name', 'url', 'events']) } as Omit<Webhook, 'id'>
    const webhook = { ...fields, id: randomUUID(), createdAt: at, updatedAt: at }
    this.#webhooks.set(webhook.id, webhook)
    return webhook
  }

  /** @throws Refusal 400 or 404 */
  find(id: string): Webhook {
    if (!uuid.test(id)) throw badRequest('"id" must be a valid GUID')
    const found = this.#webhooks.get(id)
    if (found === undefined) throw new Refusal(404, `No webhook found with id ${id}`)
    return found
  }

  /** Changes the fields that the body has; with `whole` it must have all that a new one needs. @throws Refusal 400 or 404 */
  change(id: string, body: Record<string, unknown>, whole: boolean): Webhook {
    const webhook = this.find(id)
    return Object.assign(webhook, checked(body, whole ? ['name', 'url', 'events'] : []), { updatedAt: this.#now() })
  }

  /** @throws Refusal 400 or 404 */
  remove(id: string): Webhook {
    const webhook = this.find(id)
    this.#webhooks.delete(id)
    return webhook
  }
}

/** The vendor's Webhook. */
export function webhookShape({ createdAt, updatedAt, ...rest }: Webhook): object {
  return { ...rest, created_at: iso(createdAt), updated_at: iso(updatedAt) }
}

/** This service of the vendor refuses in a form of its own (contract#validation). */
function checked(body: Record<string, unknown>, required: string[]): object {
  if (!isObject(body)) throw badRequest('the body must be an object')
  for (const name of required) if (body[name] === undefined) throw badRequest(`"${name}" is required`)
  for (const [name, value] of Object.entries(body)) {
    const rule = rules[name]
    if (rule === undefined) throw badRequest(`"${name}" is not allowed`)
    if (!rule.kind(value) || !(rule.fits?.(value as never) ?? true)) throw badRequest(`"${name}" must be ${rule.says}`)
  }
  return body
}

function badRequest(message: string): Refusal {
  return new Refusal(400, `BAD_REQUEST: ${message}`)
}
