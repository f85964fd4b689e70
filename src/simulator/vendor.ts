import { failure, Invalid, Refusal, type SimulatedAnswer } from './answers.ts'
import { type Dialect, pathIn } from './dialects/dialect.ts'
import { analyticsRoutes } from './routes/analytics-routes.ts'
import { liveRoutes } from './routes/live-routes.ts'
import { livestreamRoutes } from './routes/livestream-routes.ts'
import { meetingRoutes } from './routes/meeting-routes.ts'
import { participantRoutes } from './routes/participant-routes.ts'
import { findRoute } from './routes/route.ts'
import { stageRoutes } from './routes/stage-routes.ts'
import { webhookKey, webhookKeyPath, webhookRoutes } from './routes/webhook-routes.ts'
import { isObject } from './rules.ts'
import type { VendorState } from './state/state.ts'
import type { SimulatedWebhooks } from './webhooks/webhooks.ts'

/** A request as it came: the target byte for byte, the body as text. */
export interface VendorRequest {
  method: string
  target: string
  authorization: string | undefined
  body: string
}

/** The vendor's API as one function: a request in, an answer out, the state changed in between. Never throws. */
export function createVendor(
  state: VendorState,
  dialect: Dialect,
  webhooks: SimulatedWebhooks
): (request: VendorRequest) => SimulatedAnswer {
  const known = {
    ...livestreamRoutes(state),
    ...meetingRoutes(state),
    ...liveRoutes(state),
    ...stageRoutes(state),
    ...participantRoutes(state),
    ...analyticsRoutes(state),
    ...webhookRoutes(webhooks)
  }
  const routes = Object.fromEntries(Object.entries(known).filter(([operation]) => dialect.offers(operation)))

  return ({ method, target, authorization, body }) => {
    const { path, query } = split(target)
    if (method === 'GET' && path === webhookKeyPath) return webhookKey(webhooks)
    const refusal = dialect.refusal(path, authorization)
    if (refusal) return refusal
    const route = findRoute(routes, method, pathIn(dialect, path) ?? '') ?? findRoute(dialect.beside, method, path)
    if (!route) return dialect.noRoute(method, path)
    try {
      return route.handle({ id: route.id, second: route.second, query, body: parse(body) })
    } catch (error) {
      if (error instanceof Invalid) return state.invalid(error)
      if (error instanceof Refusal) return failure(error.status, error.message)
      // A stand-in has mistakes too. They are shown, rather than a socket that hangs.
      return failure(500, `The simulator failed: ${error}`)
    }
  }
}

/** Cut, not parsed: an URL parser would collapse dot segments, and what was really sent would stay unseen. */
export function split(target: string): { path: string; query: URLSearchParams } {
  const [path = '', ...rest] = target.split('?')
  return { path, query: new URLSearchParams(rest.join('?')) }
}

/** Nothing at all is fine on every operation: the vendor's guide sends the JSON content type even with a bare GET. */
function parse(body: string): Record<string, unknown> {
  if (body === '') return {}
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw new Refusal(400, 'BAD_REQUEST: the body is not valid JSON')
  }
  if (isObject(value)) return value
  throw new Refusal(400, 'BAD_REQUEST: the body must be an object')
}
