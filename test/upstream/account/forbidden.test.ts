import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { openUpstream } from '../../../src/upstream/account/open-upstream.ts'
import type { Priority } from '../../../src/upstream/provider.ts'
import { accountOf, basic } from '../../support/account.ts'
import { manualClock } from '../../support/clock.ts'
import { until } from '../../support/until.ts'
import { failureOf, vendor } from '../../support/upstream/vendor.ts'

const soon = (): AbortSignal => AbortSignal.timeout(5_000)
const meeting = randomUUID()
const page = { pageNo: 1, perPage: 10 }
const own = { success: false, error: { code: 403, message: 'The meeting is INACTIVE' } }
const list = { success: true, data: [] }
const isHarmless = (url = ''): boolean => /\/meetings\?page_no=1&per_page=1$/.test(url)

interface World {
  /** Status of the answer to the harmless read. */
  harmless: number
  /** The answer to everything else. */
  rest: [status: number, body: unknown]
  /** Credentials that are refused by everything. */
  refused: string[]
  waits?: Promise<unknown>
}

async function world(t: Test, given: Partial<World> = {}, keys = ['k']) {
  const world: World = { harmless: 200, rest: [403, own], refused: [], ...given }
  const { url, requests } = await vendor(t, async (request, response) => {
    const isRefused = world.refused.includes(request.headers.authorization ?? '')
    const [status, body] = isRefused ? [403, own] : isHarmless(request.url) ? [world.harmless, list] : world.rest
    if (isHarmless(request.url)) await world.waits
    response.writeHead(status).end(JSON.stringify(body))
  })
  const clock = manualClock()
  const upstream = openUpstream({
    account: accountOf({ url, org: 'o', key: 'k' }, { credentials: keys.map(key => basic('o', key)) }),
    deadlineMs: 5_000,
    clock
  })
  t.teardown(() => upstream.close())
  const on = (priority: Priority) => upstream.on({ tenantId: 'acme', priority: priority })
  return {
    world,
    upstream,
    clock,
    on,
    start: (signal = soon()) => on('mutation').start(meeting, {}, signal),
    stop: () => on('stop').stop(meeting, soon()),
    read: () => on('read').findLivestream(meeting, page, soon()),
    checks: () => requests.filter(({ url }) => isHarmless(url)).length,
    calls: () => requests.length
  }
}

t.test('a 403 while the credential is taken elsewhere is about what was asked for', async t => {
  const { start, read, upstream, checks } = await world(t)
  const said = { type: 'upstream_refused', upstreamStatus: 403, upstreamReason: 'The meeting is INACTIVE' }
  t.match(await failureOf(start()), { ...said, outcome: 'failed' })
  t.match(await failureOf(read()), { ...said, outcome: undefined })
  t.equal(checks(), 1)
  t.equal(upstream.credential().isRefused, false)
})

t.test('a 403 is about the credential when a harmless read is refused as well', async t => {
  for (const harmless of [401, 403]) {
    const { start, read, upstream, checks } = await world(t, { harmless })
    const said = { type: 'upstream_credentials_refused', upstreamStatus: 403 }
    t.match(await failureOf(start()), { ...said, outcome: 'not_sent' })
    t.match(await failureOf(read()), { ...said, outcome: undefined })
    t.equal(upstream.credential().isRefused, true)
    t.equal(checks(), 1)
  }
  const { upstream, checks } = await world(t, { harmless: 403 })
  t.equal(await upstream.verifyCredential(soon()), false)
  t.equal(checks(), 1, 'the harmless read itself is about nothing else: nobody asks once more')
  t.equal(upstream.credential().isRefused, true)
})

t.test('the credential is not suspected when that cannot be found out', async t => {
  const { start } = await world(t, { harmless: 500 })
  t.match(await failureOf(start()), { type: 'upstream_refused', outcome: 'failed' })
})

t.test('the question is asked once in five seconds, and shared by all who wait', async t => {
  const pause = Promise.withResolvers<void>()
  const { start, checks, clock, world: state, calls } = await world(t, { harmless: 403, waits: pause.promise })
  const failures = Array.from({ length: 10 }, () => failureOf(start()))
  await until(() => calls() === 11)
  clock.advance(6_000)
  failures.push(failureOf(start()))
  await until(() => calls() === 12)
  t.equal(checks(), 1, 'also while the answer takes longer than that')
  pause.resolve()
  for (const failure of failures) t.equal((await failure).type, 'upstream_credentials_refused')
  t.equal(checks(), 1)
  t.equal((await failureOf(start())).type, 'upstream_credentials_refused')
  t.equal(checks(), 2, 'from then on it is asked anew')
  state.harmless = 200
  clock.advance(4_999)
  t.equal((await failureOf(start())).type, 'upstream_credentials_refused')
  t.equal(checks(), 2)
  clock.advance(1)
  t.equal((await failureOf(start())).type, 'upstream_refused')
  t.equal(checks(), 3)
})

t.test('a success of the last five seconds answers it', async t => {
  const { start, read, checks, clock, world: state } = await world(t, { harmless: 403 })
  state.rest = [200, { success: true, data: { id: meeting, status: 'IDLE' } }]
  await read()
  state.rest = [403, own]
  clock.advance(4_999)
  t.equal((await failureOf(start())).type, 'upstream_refused')
  t.equal(checks(), 0)
  clock.advance(1)
  t.equal((await failureOf(start())).type, 'upstream_credentials_refused')
  t.equal(checks(), 1)
})

t.test('a call waits for the answer no longer than it may last itself', async t => {
  const pause = Promise.withResolvers<void>()
  const { start } = await world(t, { harmless: 403, waits: pause.promise })
  // The answer never comes: without a limit of its own the call would not end.
  t.match(await failureOf(start(AbortSignal.timeout(200))), { type: 'upstream_refused', outcome: 'failed' })
  pause.resolve()
})

t.test('no question holds back a stop: it is refused at once, and others know the answer after it', async t => {
  const pause = Promise.withResolvers<void>()
  const { stop, upstream, checks } = await world(t, { harmless: 403, waits: pause.promise })
  const said = { type: 'upstream_refused', outcome: 'failed', upstreamStatus: 403 }
  t.match(await failureOf(stop()), said)
  t.equal(upstream.credential().isRefused, false)
  pause.resolve()
  await until(() => upstream.credential().isRefused)
  t.equal(checks(), 1)
  t.match(await failureOf(stop()), said)
})

t.test('a second credential takes the place of the first that is refused so', async t => {
  const { start, stop, read, upstream, world: state } = await world(t, {}, ['old', 'new'])
  const old = basic('o', 'old').reveal()
  state.refused = [old]
  state.rest = [200, { success: true, data: { id: meeting, status: 'IDLE', message: 'stopped' } }]
  t.match(await read(), { livestream: { id: meeting } })
  t.equal(upstream.credential().position, 2)
  t.match(await start(), { id: meeting })

  const late = await world(t, {}, ['old', 'new'])
  late.world.refused = [old]
  late.world.rest = state.rest
  t.equal((await failureOf(late.stop())).type, 'upstream_refused')
  await until(() => late.upstream.credential().position === 2)
  t.match(await late.stop(), { stopped: true }, 'the one that is sent again goes out with the other')
  t.match(await stop(), { stopped: true })
})

t.test('the edge says itself that it is the credential: then nobody asks', async t => {
  const chained = { errors: [{ code: 1, message: 'x', error_chain: [{ code: 6003, message: 'Invalid headers' }] }] }
  for (const [status, body] of [
    [401, { message: 'Unauthorized' }],
    [403, { errors: [{ code: 10000, message: 'Authentication error' }] }],
    [400, { errors: [{ code: 6003, message: 'Invalid request headers' }] }],
    [400, chained]
  ] as const) {
    for (const priority of ['mutation', 'stop'] as const) {
      const { on, checks } = await world(t, { rest: [status, body] })
      const failure = await failureOf(
        priority === 'stop' ? on(priority).stop(meeting, soon()) : on(priority).start(meeting, {}, soon())
      )
      t.match(failure, { type: 'upstream_credentials_refused', outcome: 'not_sent', upstreamStatus: status })
      t.equal(checks(), 0)
    }
  }
})
