import { randomBytes, randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import type { FailureOptions } from '../../../src/domain/refusals/failures.ts'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { openUpstream } from '../../../src/upstream/account/open-upstream.ts'
import { isDefiniteRefusal, type Provider } from '../../../src/upstream/provider.ts'
import { accountOf, realtimekitAccountOf } from '../../support/account.ts'
import { failureOf, vendor } from '../../support/upstream/vendor.ts'

const soon = (): AbortSignal => AbortSignal.timeout(5_000)
const meeting = randomUUID()
const page = { pageNo: 1, perPage: 10 }
const org = randomUUID()
const key = randomBytes(10).toString('hex')

type Say = (path: string, method: string) => [status: number, body: unknown]

/** A vendor that refuses as the test says. */
async function refusing(t: Test, say: Say): Promise<Provider> {
  const { url } = await vendor(t, (request, response) => {
    const [status, body] = say(request.url ?? '', request.method ?? '')
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  const upstream = openUpstream({ account: accountOf({ url, org, key }), deadlineMs: 5_000, clock: systemClock })
  t.teardown(() => upstream.close())
  return upstream.on({ tenantId: 'acme', priority: 'mutation' })
}

const own = (code: number, message: string) => ({ success: false, error: { code, message } })
const edge = (code: number, message: string) => ({
  success: false,
  errors: [{ code, message }],
  messages: [],
  result: null
})

t.test("whether a refusal of a start is the vendor's own for the moment can be told", async t => {
  const running = `A LIVESTREAMER is already running for meeting ${meeting}`
  const expected: [status: number, body: unknown, type: string, isDefinite: boolean, options: FailureOptions][] = [
    [409, own(409, running), 'already_live', true, { upstreamReason: running }],
    [400, own(400, 'It is still stopping'), 'upstream_refused', true, { upstreamReason: 'It is still stopping' }],
    [400, {}, 'upstream_refused', true, { upstreamReason: undefined }],
    [400, edge(1001, 'Bad request'), 'upstream_refused', false, { upstreamReason: '1001 Bad request' }],
    [409, edge(1001, 'Conflict'), 'upstream_refused', false, { upstreamReason: '1001 Conflict' }],
    [400, '<html>', 'upstream_refused', false, { upstreamReason: undefined }],
    [400, [], 'upstream_refused', false, { upstreamReason: undefined }],
    [409, '<html>', 'upstream_malformed', false, { outcome: 'unknown' }],
    [422, own(422, 'Too many'), 'upstream_refused', false, { upstreamReason: 'Too many' }],
    [404, own(404, 'No meeting'), 'meeting_not_found', false, { upstreamReason: 'No meeting' }],
    [408, own(408, 'late'), 'upstream_failed', false, { outcome: 'unknown', upstreamReason: 'late' }],
    [500, own(500, 'sorry'), 'upstream_failed', false, { outcome: 'unknown', upstreamReason: 'sorry' }]
  ]
  for (const [status, body, type, isDefinite, options] of expected) {
    const provider = await refusing(t, () => [status, body])
    const failure = await failureOf(provider.start(meeting, {}, soon()))
    const name = `${status} ${JSON.stringify(body)}`
    t.match(failure, { type, upstreamStatus: status, ...options }, name)
    t.equal(isDefiniteRefusal(failure), isDefinite, name)
  }
  t.equal(isDefiniteRefusal(new Error('no failure')), false)
})

t.test('the caller is told what is wrong with a field of its own body', async t => {
  const wish = { name: 'Friday', video_config: { height: 1, width: 2 } }
  for (const [status, message, detail] of [
    [422, '[body] "name" is not allowed', { field: 'body.name', message: 'is not allowed' }],
    [422, '"name" must be a string', { field: 'body.name', message: 'must be a string' }],
    [400, '[body] "name" is not allowed', { field: 'body.name', message: 'is not allowed' }],
    [400, 'BAD_REQUEST: "name" is wrong', { field: 'body.name', message: 'is wrong' }],
    [
      422,
      '"video_config.height" must be larger than 2',
      { field: 'body.video_config.height', message: 'must be larger than 2' }
    ],
    [422, '"video_config.sk_canary" is required', { field: 'body.video_config', message: 'is required' }],
    [422, '"name" with value "Friday" fails to match the pattern', { field: 'body.name', message: 'with value…' }]
  ] as const) {
    for (const body of [{ success: false, message }, own(status, message)]) {
      const provider = await refusing(t, () => [status, body])
      const failure = await failureOf(provider.start(meeting, wish, soon()))
      t.match(failure, { type: 'invalid_input', status: 400, outcome: 'failed', upstreamStatus: status }, message)
      t.strictSame(failure.details, [detail])
      t.ok(failure.upstreamReason)
      t.equal(isDefiniteRefusal(failure), false, 'it is no matter of the moment')
    }
  }
})

t.test('all other refusals are told in a sentence of ours, with the reason for the operator', async t => {
  const cases: [number, unknown][] = [
    [422, own(422, '[body] "destinations" is not allowed')], // not sent
    [422, own(422, '[params] "name" must be a GUID')],
    [422, own(422, '[query] "name" must be a GUID')],
    [422, own(422, '"name is not allowed')],
    [422, own(422, 'name is not allowed')],
    [409, own(409, '"name" is taken')],
    [422, edge(1, '"name" is not allowed')],
    [422, '"name" is not allowed']
  ]
  for (const [status, body] of cases) {
    const provider = await refusing(t, () => [status, body])
    const failure = await failureOf(provider.createMeeting({ title: 'x', name: 'y' } as object, soon()))
    t.match(failure, { type: 'upstream_refused', outcome: 'failed', upstreamStatus: status })
    t.strictSame(failure.details, [{ field: 'upstream', message: `answered with status ${status}` }])
    t.equal(failure.upstreamReason === undefined, typeof body === 'string')
  }
})

t.test('an id that can be none is not there; a refused page, and a stranger, say nothing of it', async t => {
  const notThere = await refusing(t, () => [422, { success: false, message: '[params] "id" must be a valid GUID' }])
  t.equal(await notThere.findMeeting(meeting, soon()), null)
  t.equal(await notThere.findLivestream(meeting, page, soon()), null)
  t.equal(await notThere.findActive(meeting, soon()), null)
  t.equal(await notThere.findRun(meeting, soon()), null)
  t.equal(await notThere.findActiveSession(meeting, soon()), null)
  t.match(await failureOf(notThere.findMeetings(page, soon())), { type: 'upstream_refused' }, 'a list is always there')
  t.match(await failureOf(notThere.updateMeeting(meeting, {}, soon())), { type: 'upstream_refused' }, 'nor a mutation')
  for (const body of [
    { success: false, message: '[query] "per_page" must be less than or equal to 5' },
    { success: false, message: '"per_page" must be less than or equal to 5' },
    edge(7003, 'x'),
    '<html>'
  ]) {
    const provider = await refusing(t, () => [422, body])
    t.match(await failureOf(provider.findLivestream(meeting, page, soon())), { type: 'upstream_refused' })
  }
})

t.test('nobody can be put out where nobody is, whatever the vendor calls it', async t => {
  const whom = { participant_ids: ['p1'] }
  const acts = (provider: Provider) => [
    ['no_active_session', provider.onWholeStage(meeting, 'kick', {}, soon())] as const,
    ['no_active_session', provider.onWholeStage(meeting, 'mute', {}, soon())] as const,
    ['participant_not_found', provider.onStage(meeting, 'kick', whom, soon())] as const,
    ['participant_not_found', provider.onStage(meeting, 'mute', whom, soon())] as const
  ]
  const session = { id: 's1', associated_id: meeting, status: 'LIVE', live_participants: 1 }
  const looks: [body: Record<string, unknown> | null, isEmpty: boolean][] = [
    [null, true],
    [{ ...session, status: 'ENDED' }, true],
    [{ ...session, live_participants: 0 }, true],
    [session, false]
  ]
  for (const refusal of [400, 409]) {
    for (const [seen, isEmpty] of looks) {
      const provider = await refusing(t, (_path, method) => {
        if (method === 'POST') return [refusal, own(refusal, 'No active session')]
        return seen === null ? [404, {}] : [200, { success: true, data: seen }]
      })
      for (const [type, act] of acts(provider)) {
        const failure = await failureOf(act)
        const expected = isEmpty ? { type, status: 404 } : { type: 'upstream_refused', status: 502 }
        const said = { upstreamStatus: refusal, upstreamReason: 'No active session' }
        t.match(failure, { ...expected, ...said }, `${refusal} ${JSON.stringify(seen)}`)
      }
    }
    const silent = await refusing(t, (_path, method) => [method === 'POST' ? refusal : 500, own(refusal, 'no')])
    for (const [, act] of acts(silent))
      t.match(await failureOf(act), { type: 'upstream_refused' }, 'when no look tells')
  }
})

t.test('nothing of a call stays in the failure, whatever a vendor repeats of it', async t => {
  const canaries = {
    title: `Layoffs ${randomUUID()}`,
    stream_key: randomBytes(16).toString('hex'),
    token: randomBytes(24).toString('base64url')
  }
  const basic = Buffer.from(`${org}:${key}`).toString('base64')
  const secrets = [...Object.values(canaries), org, key, basic, basic.slice(0, 20)]
  const { account, app } = { account: randomBytes(16).toString('hex'), app: randomUUID() }
  for (const status of [400, 401, 403, 404, 408, 409, 422, 429, 500]) {
    for (const form of [
      (words: string) => own(status, words),
      (words: string) => ({ success: false, message: `[body] "title" ${words}` }),
      (words: string) => ({ success: false, errors: [{ code: status, message: words }] })
    ]) {
      const { url } = await vendor(t, (request, response) => {
        const { authorization } = request.headers
        const words = `${secrets.join(' ')} ${authorization} of "${account}"/${app} rtmps://x/${canaries.stream_key}`
        response.writeHead(status).end(JSON.stringify(form(words)))
      })
      const accounts = [
        accountOf({ url, org, key }),
        realtimekitAccountOf({ url, account, app, token: canaries.token })
      ]
      for (const one of accounts) {
        const upstream = openUpstream({ account: one, deadlineMs: 5_000, clock: systemClock })
        t.teardown(() => upstream.close())
        const provider = upstream.on({ tenantId: 'acme', priority: 'mutation' })
        const failure = await failureOf(provider.updateMeeting(meeting, { title: canaries.title }, soon()))
        const all = `${inspect(failure, { depth: 9, showHidden: true })} ${JSON.stringify(failure.details)}`
        for (const secret of [...secrets, account, app]) t.notOk(all.includes(secret), `${status}: ${secret} in ${all}`)
      }
    }
  }
})

t.test('ids of organisation, account and app are hidden, however they look', async t => {
  const words = 'no access for friday-org, friday-acct or friday-app-1'
  const { url } = await vendor(t, (_request, response) => response.writeHead(400).end(JSON.stringify(own(400, words))))
  const accounts = [
    [accountOf({ url, org: 'friday-org', key: 'k' }), ['friday-org']],
    [realtimekitAccountOf({ url, account: 'friday-acct', app: 'friday-app-1', token: 't' }), ['friday-acct', 'app-1']]
  ] as const
  for (const [account, ids] of accounts) {
    const upstream = openUpstream({ account, deadlineMs: 5_000, clock: systemClock })
    t.teardown(() => upstream.close())
    const failure = await failureOf(upstream.on({ tenantId: 'acme', priority: 'mutation' }).createMeeting({}, soon()))
    t.match(failure.upstreamReason, /^no access for /)
    for (const id of ids) t.notOk(failure.upstreamReason?.includes(id), `${id} in ${failure.upstreamReason}`)
  }
})
