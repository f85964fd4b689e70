import { randomUUID } from 'node:crypto'
import { iso, type SimulatedAnswer } from '../answers.ts'
import { paged } from '../routes/lists.ts'
import { boolean, number, oneOf, text, uuid } from '../rules.ts'
import type { Dialect, DialectState, SimulatedVendor } from './dialect.ts'

/** The operations that Cloudflare's document once had and npm `cloudflare` 7.3.0 has not (contract#dropped-operations). */
const noLongerDocumented = new Set([
  'POST /livestreams',
  'PUT /livestreams/{id}/enable',
  'PUT /livestreams/{id}/disable',
  'POST /livestreams/{id}/reset-stream-key',
  'GET /meetings/{id}/livestream',
  'GET /sessions/{id}/livestream-sessions',
  'POST /meetings/{id}/active-session/mute',
  'POST /meetings/{id}/active-session/mute-all'
])

const basePath = '/client/v4'
/** Whether the token itself is good, whatever it may do: an operation of all of Cloudflare's API. */
const tokenCheck = `${basePath}/user/tokens/verify`
/** The characters that a Bearer token may have. */
const bearer = /^Bearer +([\w.~+/-]+=*)$/i

export const realtimekit: SimulatedVendor = {
  options: {
    account: text('32 hexadecimal digits', value => /^[0-9a-f]{32}$/i.test(value)),
    app: text('a UUID, or 32 hexadecimal digits', value => uuid.test(value) || /^[0-9a-f]{32}$/i.test(value)),
    token: text('a string that can stand in a Bearer header', value => /^[\w.~+/-]+=*$/.test(value)),
    badToken: oneOf('401', '403'),
    dropped: oneOf('gone', 'answer')
  },
  account: ['account', 'app'],
  credential: 'token',
  meetingFields: { session_keep_alive_time_in_secs: number(60, 600, true), transcribe_on_end: boolean },
  newMeeting: { session_keep_alive_time_in_secs: 60, transcribe_on_end: false },
  filtersMeetings: true,
  plainAnalytics: true,
  participantPut: 'answer',
  ingestPath: '/live/',
  webhookHeaders: 'rtk',
  webhooksShowAll: true,
  dialect
}

/**
 * Cloudflare RealtimeKit: a Bearer token, the account and the app in the path, and before it all Cloudflare's edge with
 * errors of its own (contract#bearer-credentials, contract#edge-errors). An unknown caller is told so before anything of the path is looked at.
 */
function dialect(state: DialectState): Dialect {
  const { account, app, badToken, dropped } = state.settings
  const kit = `${basePath}/accounts/${account}/realtime/kit`
  const onlyApp = { id: app, name: 'simulated', created_at: iso(state.now()) }
  const activeToken = { id: randomUUID().replaceAll('-', ''), status: 'active' }
  const noSuchUri = { code: 7000, message: 'No route for that URI' }
  const notAuthentic = (status: number): SimulatedAnswer =>
    edgeError(status, { code: 10000, message: 'Authentication error' })

  return {
    basePath,
    apiPath: `${kit}/${app}`,
    refusal(path, authorization) {
      if (authorization === undefined) {
        const message = 'Missing X-Auth-Key, X-Auth-Email or Authorization headers'
        return edgeError(400, { code: 9106, message })
      }
      const token = bearer.exec(authorization)?.[1]
      if (token === undefined) {
        const chain = [{ code: 6111, message: 'Invalid format for Authorization header' }]
        return edgeError(400, { code: 6003, message: 'Invalid request headers', error_chain: chain })
      }
      if (!state.accepted.has(token) && path === tokenCheck) {
        return edgeError(401, { code: 1000, message: 'Invalid API Token' })
      }
      if (!state.accepted.has(token)) return notAuthentic(Number(badToken))
      const [, inAccount, inApp] = /^\/client\/v4\/accounts\/([^/]+)\/realtime\/kit\/([^/]+)/.exec(path) ?? []
      if (inAccount === undefined) return undefined
      const isAccount = /^[0-9a-f]{32}$/i.test(inAccount)
      if (isAccount && inAccount !== account) return notAuthentic(403)
      if (isAccount && (inApp === app || path === `${kit}/apps`)) return undefined
      const message = `Could not route to ${path.slice(basePath.length)}, perhaps your object identifier is invalid?`
      return edgeError(404, { code: 7003, message }, noSuchUri)
    },
    noRoute: () => edgeError(404, noSuchUri),
    tooMany(seconds) {
      const message = 'Please wait and consider throttling your request speed'
      return { ...edgeError(429, { code: 971, message }), headers: { 'retry-after': String(seconds) } }
    },
    limitFields: ({ quota, left, resetMs }) => ({
      ratelimit: `"default";r=${left};t=${Math.ceil(resetMs / 1_000)}`,
      'ratelimit-policy': `"default";q=${quota.calls};w=${quota.windowMs / 1_000}`
    }),
    beside: {
      [`GET ${tokenCheck}`]: () => ({
        status: 200,
        body: { success: true, errors: [], messages: [], result: activeToken }
      }),
      // The account's apps, of which there is one (contract#app-list).
      [`GET ${kit}/apps`]({ query }) {
        const { page, paging } = paged([onlyApp], query)
        return { status: 200, body: { success: true, data: page, paging } }
      }
    },
    offers: operation => dropped === 'answer' || !noLongerDocumented.has(operation)
  }
}

interface EdgeProblem {
  code: number
  message: string
  /** The problems behind it. */
  error_chain?: EdgeProblem[]
}

/** Cloudflare's own envelope; what stands behind its edge has another (contract#envelope). */
function edgeError(status: number, ...errors: EdgeProblem[]): SimulatedAnswer {
  return { status, body: { success: false, errors, messages: [], result: null } }
}
