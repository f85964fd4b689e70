/**
 * The control endpoint, for tests and demos that run in another process. It shares the port, stands outside of the vendor's paths, and
 * its calls are not in the journal. Answers have the vendor's envelope; a bad body is a 400 that names the field.
 *
 * | call                            | does                                                                      |
 * | ------------------------------- | ------------------------------------------------------------------------- |
 * | `POST /_simulator/faults`       | queues a Fault for the next request it matches; `times` (1) repeats it    |
 * | `DELETE /_simulator/faults`     | forgets all faults, standing ones too                                     |
 * | `GET /_simulator/journal`       | the vendor requests so far, oldest first; credentials as fingerprints     |
 * | `GET /_simulator/livestreams`   | the true state: id, meeting_id, status, stream_key, starts, sessions      |
 * | `POST /_simulator/meetings`     | adds a meeting: `id`, `title`, `status`, `live_stream_on_start`, all optional |
 * | `POST /_simulator/meetings/join` | people come to `meeting_id`: its session begins, and with `live_stream_on_start` a livestream |
 * | `POST /_simulator/meetings/start` | a browser starts the livestream of `meeting_id`, past any gateway; `manual_ingest` |
 * | `POST /_simulator/meetings/end` | the session of `meeting_id` ends, and its livestream goes on |
 * | `PUT /_simulator/credentials`  | which API keys (Dyte) or tokens (RealtimeKit) get in from now on          |
 * | `GET /_simulator/webhooks`      | those that are registered, and deliveries that wait or were sent, without their bodies |
 * | `PUT /_simulator/webhooks`      | how they are sent from now on: `times`, `delayMs`, `order`, `repeatId`, `headers`, `retryMs`, `hold` |
 * | `POST /_simulator/webhooks/send` | sends a body of one's own, signed, to each of them                       |
 * | `POST /_simulator/webhooks/release` | sends what waits since `hold`: `ids` in that order, default all      |
 * | `POST /_simulator/webhooks/rotate-key` | another key signs from now on                                     |
 * | `GET /_simulator/health`        | `{"status": "ok"}`                                                        |
 *
 * curl -d '{"match":{"method":"POST"},"hangUp":true,"afterWork":true}' http://127.0.0.1:4100/_simulator/faults
 * curl -X PUT -d '{"times":2,"delayMs":500}' http://127.0.0.1:4100/_simulator/webhooks
 * curl -X PUT -d '{"credentials":["one","another"]}' http://127.0.0.1:4100/_simulator/credentials
 *
 * It asks for no credentials: leave the simulator on loopback.
 */
import { failure, type SimulatedAnswer, success } from './answers.ts'
import type { Fault } from './faults/faults.ts'
import { withoutCredentials } from './journal.ts'
import { assertFields, boolean, isObject, type Rule, string } from './rules.ts'
import type { Simulator } from './running-simulator.ts'
import type { WebhookEvent } from './webhooks/events.ts'
import { webhookShape } from './webhooks/registered.ts'
import type { WebhookDelivery } from './webhooks/webhooks.ts'

/** Whether a request is for the control endpoint. */
export function isControl(target = ''): boolean {
  return target.startsWith('/_simulator/')
}

/** The answer to a control call. Never throws. */
export function control(simulator: Simulator, method: string, target: string, body: string): SimulatedAnswer {
  const call = calls[`${method} ${target.slice('/_simulator'.length)}`]
  if (!call) return failure(404, `No control ${method} ${target}`)
  try {
    return call(simulator, body)
  } catch (error) {
    // Refusals are errors of ours or of JSON.parse: both say what is wrong in their message.
    return failure(400, (error as Error).message)
  }
}

const list: Rule = { says: 'an array', kind: Array.isArray }

const calls: Record<string, (simulator: Simulator, body: string) => SimulatedAnswer> = {
  'POST /faults': (simulator, body) => {
    const { times = 1, ...fault } = parse(body)
    simulator.failNext(fault as Fault, times as number)
    return success({ queued: times }, 201)
  },
  'DELETE /faults': simulator => {
    simulator.clearFaults()
    return success({})
  },
  'GET /journal': simulator => success(simulator.journal.map(withoutCredentials)),
  'GET /livestreams': simulator => success(simulator.livestreams()),
  'POST /meetings': (simulator, body) => success(simulator.addMeeting(parse(body)), 201),
  'POST /meetings/join': (simulator, body) => success(simulator.joinMeeting(meetingIn(body).id), 201),
  'POST /meetings/start': (simulator, body) => {
    const { id, manualIngest } = meetingIn(body)
    return success(simulator.startFromBrowser(id, { manualIngest }), 201)
  },
  'POST /meetings/end': (simulator, body) => {
    simulator.endMeeting(meetingIn(body).id)
    return success({})
  },
  'PUT /credentials': (simulator, body) => {
    const wish: { credentials: unknown } = { credentials: null, ...parse(body) }
    assertFields('accept', { credentials: list }, wish)
    const credentials = wish.credentials as string[] // `accept` looks at each
    simulator.accept(...credentials)
    return success({ accepted: credentials.length })
  },
  'GET /webhooks': ({ webhooks }) => {
    const [waiting, sent] = [webhooks.waiting().map(withoutBody), webhooks.sent.map(withoutBody)]
    return success({ registered: webhooks.registered.all().map(webhookShape), waiting, sent })
  },
  'PUT /webhooks': ({ webhooks }, body) => {
    webhooks.behave(parse(body))
    return success({})
  },
  'POST /webhooks/send': ({ webhooks }, body) => {
    const event = parse(body)
    if (typeof event.event !== 'string') throw new TypeError('webhook: "event" must be a string')
    webhooks.tell(event as WebhookEvent)
    return success({}, 201)
  },
  'POST /webhooks/release': ({ webhooks }, body) => {
    const wish = parse(body)
    assertFields('release', { ids: list }, wish)
    // Their fate is shown by `GET /webhooks`.
    webhooks.release(wish.ids as string[] | undefined).catch(() => {})
    return success({})
  },
  'POST /webhooks/rotate-key': ({ webhooks }) => {
    webhooks.key.rotate()
    return success({ publicKey: webhooks.key.publicPem() })
  },
  'GET /health': () => success({ status: 'ok' })
}

/** The meeting that a body names. @throws TypeError */
function meetingIn(body: string): { id: string; manualIngest: boolean } {
  const wish: { meeting_id: unknown; manual_ingest?: unknown } = { meeting_id: null, ...parse(body) }
  assertFields('meeting', { meeting_id: string, manual_ingest: boolean }, wish)
  return { id: wish.meeting_id as string, manualIngest: wish.manual_ingest === true }
}

/** RealtimeKit's bodies have stream keys in them. */
function withoutBody<D extends WebhookDelivery>({ body: _body, ...rest }: D): Omit<D, 'body'> {
  return rest
}

/** @throws TypeError when the body is neither empty nor a JSON object. */
function parse(body: string): Record<string, unknown> {
  const value: unknown = body === '' ? {} : JSON.parse(body)
  if (isObject(value)) return value
  throw new TypeError('the body must be an object')
}
