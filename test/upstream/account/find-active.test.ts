import { randomUUID } from 'node:crypto'
import type { RequestListener } from 'node:http'
import t, { type Test } from 'tap'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { openUpstream } from '../../../src/upstream/account/open-upstream.ts'
import { accountOf } from '../../support/account.ts'
import { failureOf, vendor } from '../../support/upstream/vendor.ts'

const soon = (): AbortSignal => AbortSignal.timeout(5_000)
const meeting = randomUUID()
const run = { id: randomUUID(), status: 'LIVE', meeting_id: meeting, stream_key: 'sk_EXAMPLE' }
const success = (data: unknown) => ({ success: true, data })

async function account(t: Test, answer: RequestListener) {
  const { url, requests } = await vendor(t, answer)
  const upstream = openUpstream({
    account: accountOf({ url, org: randomUUID(), key: 'k' }),
    deadlineMs: 5_000,
    clock: systemClock
  })
  t.teardown(() => upstream.close())
  const provider = upstream.on({ tenantId: 'acme', priority: 'read' })
  return { upstream, requests, provider, look: () => provider.findActive(meeting, soon()) }
}

/** A vendor that says this to each question. */
function saying(t: Test, status: number, body: unknown) {
  return account(t, (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
}

t.test('nothing is live: a 404 of its own, or a success that shows nothing', async t => {
  for (const [status, body] of [
    [404, { success: false, error: { code: 404, message: 'No active livestream' } }],
    [404, {}],
    [200, { success: true }],
    [200, success(null)],
    [200, success({})]
  ] as const) {
    const { look } = await saying(t, status, body)
    t.equal(await look(), null, `${status} ${JSON.stringify(body)}`)
  }
})

t.test('no other success says so', async t => {
  for (const body of [
    {},
    success([]),
    { success: false, data: null },
    { success: true, errors: [], result: null },
    'x'
  ]) {
    const { look } = await saying(t, 200, body)
    t.equal((await failureOf(look())).type, 'upstream_malformed', JSON.stringify(body))
  }
  const { look } = await saying(t, 404, { success: false, errors: [{ code: 7003, message: 'Could not route' }] })
  t.equal((await failureOf(look())).type, 'upstream_refused', 'nor does the edge')
})

t.test('a 404 with words that are not in the form of the vendor is no word of it', async t => {
  for (const body of [
    { message: 'Cannot GET /v2/meetings', error: 'Not Found', statusCode: 404 },
    { message: 'no Route matched with those values' },
    { error: 'not_found' },
    { success: true, message: 'not here' }
  ]) {
    const { look } = await saying(t, 404, body)
    t.equal((await failureOf(look())).type, 'upstream_malformed', JSON.stringify(body))
  }
})

t.test('a livestream is given as it is shown, also one that does not run', async t => {
  for (const status of ['LIVE', 'INVOKED', 'ERRORED', 'IDLE', 'PAUSED']) {
    const { look } = await saying(t, 200, success({ ...run, status }))
    t.strictSame(await look(), { ...run, status })
  }
  const { look } = await saying(t, 200, success({ ...run, status: 'OFFLINE' }))
  t.match(await look(), { status: 'INVOKED' }, 'a fresh run of contract L1')
})

t.test('one that names no meeting is given without one, and one of another meeting is not', async t => {
  const { meeting_id: _named, ...unnamed } = run
  for (const shown of [unnamed, { ...unnamed, meeting_id: null }]) {
    const { look } = await saying(t, 200, success(shown))
    t.strictSame(await look(), unnamed)
  }
  for (const meeting_id of [randomUUID(), '']) {
    const { look } = await saying(t, 200, success({ ...run, meeting_id }))
    t.equal((await failureOf(look())).type, 'upstream_malformed')
  }
})

t.test('a vendor that fails where nothing is live is asked once, and is not taken to be in trouble', async t => {
  const { look, provider, upstream, requests } = await saying(t, 500, { success: false })
  for (let i = 0; i < 20; i++)
    t.match(await failureOf(look()), { type: 'upstream_failed', upstreamStatus: 500, outcome: undefined })
  t.equal(requests.length, 20, 'none is sent again')
  t.equal(upstream.status().breaker, 'closed')

  for (let i = 0; i < 4; i++) await failureOf(provider.findMeeting(meeting, soon()))
  for (let i = 0; i < 5; i++) await failureOf(look())
  await failureOf(provider.findMeeting(meeting, soon()))
  t.equal(upstream.status().breaker, 'open', 'nor is it a sign of health')
})

t.test('a vendor that does not answer at all is trouble as ever', async t => {
  const { look, upstream } = await account(t, (_request, response) => void response.destroy())
  for (let i = 0; i < 5; i++) await failureOf(look())
  t.equal(upstream.status().breaker, 'open')
})
