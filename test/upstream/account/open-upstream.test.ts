import { randomBytes, randomUUID } from 'node:crypto'
import type { RequestListener } from 'node:http'
import t, { type Test } from 'tap'
import { systemClock } from '../../../src/domain/values/clock.ts'
import type { Quota } from '../../../src/domain/values/quota.ts'
import { openUpstream, type UpstreamOptions } from '../../../src/upstream/account/open-upstream.ts'
import type { Priority, Provider } from '../../../src/upstream/provider.ts'
import { accountOf } from '../../support/account.ts'
import { manualClock } from '../../support/clock.ts'
import { until } from '../../support/until.ts'
import { failureOf, vendor } from '../../support/upstream/vendor.ts'

const meeting = randomUUID()
const soon = (): AbortSignal => AbortSignal.timeout(60_000)
const run = { id: randomUUID(), status: 'LIVE', meeting_id: meeting }
const good = JSON.stringify({ success: true, data: run })
const stopped = JSON.stringify({ success: true, data: { message: 'Stopped live stream successfully' } })

/** An account at a vendor that answers as the test says. */
async function accountAt(
  t: Test,
  answer: RequestListener,
  { quota = { calls: 10_000, seconds: 60 }, ...options }: Partial<UpstreamOptions> & { quota?: Quota } = {}
) {
  const { url, requests } = await vendor(t, answer)
  const upstream = openUpstream({
    account: accountOf({ url, org: randomUUID(), key: randomBytes(10).toString('hex') }, { quota }),
    deadlineMs: 10_000,
    clock: systemClock,
    ...options
  })
  t.teardown(() => upstream.close())
  const on = (priority: Priority): Provider => upstream.on({ tenantId: 'acme', priority: priority })
  return {
    upstream,
    requests,
    async read() {
      const found = await on('read').findLivestream(run.id, { pageNo: 1, perPage: 1 }, soon())
      return found?.livestream ?? null
    },
    start: () => on('mutation').start(meeting, {}, soon()),
    stop: async () => (await on('stop').stop(meeting, soon())).stopped,
    on
  }
}

t.test('failing reads are sent again, once each and a tenth of all at most; mutations never', async t => {
  let answers = 0
  const { read, start, requests } = await accountAt(t, (_request, response) => {
    response.statusCode = answers++ % 3 === 0 ? 500 : 200
    response.end(good)
  })
  let failed = 0
  for (let i = 0; i < 100; i++) await read().catch(() => failed++)
  const again = requests.length - 100
  t.ok(again > 0 && again <= 10, `${again} of 100 were repeated`)
  t.ok(failed > 0 && failed < 34, `${failed} failed for good`)
  const before = requests.length
  for (let i = 0; i < 30; i++) await start().catch(() => {})
  t.equal(requests.length, before + 30)
})

t.test('after five failures in a row nothing is asked any more but a stop, whose success ends that', async t => {
  let fails = true
  const { read, start, stop, upstream, requests } = await accountAt(t, (request, response) => {
    response.statusCode = fails ? 503 : 200
    response.end(request.url?.endsWith('/stop') ? stopped : good)
  })
  for (let i = 0; i < 5; i++) t.equal((await failureOf(read())).type, 'upstream_failed')
  t.equal(upstream.status().breaker, 'open')
  // Told at once: within the turn of the question, when no byte can have come or gone.
  let turnsOver = false
  setImmediate(() => {
    turnsOver = true
  })
  for (let i = 0; i < 100; i++) t.equal((await failureOf(read())).type, 'upstream_unavailable')
  t.notOk(turnsOver, 'and that is told at once')
  t.match(await failureOf(start()), { status: 503, type: 'upstream_unavailable', outcome: 'not_sent' })
  t.equal(requests.length, 5)
  t.match(await failureOf(stop()), { type: 'upstream_failed' })
  t.equal(requests.length, 6, 'a stop is sent all the same')
  fails = false
  t.equal(await stop(), true)
  t.equal(upstream.status().breaker, 'closed')
  t.match(await read(), { id: run.id })
})

t.test('a read in the background is sent once, opens no breaker, and waits for none', async t => {
  const { read, upstream, requests } = await accountAt(t, (_request, response) => {
    response.statusCode = 503
    response.end(good)
  })
  const provider = upstream.on({ tenantId: 'operator', priority: 'read', isBackground: true })
  const look = () => provider.findLivestream(run.id, { pageNo: 1, perPage: 1 }, soon())
  for (let i = 0; i < 10; i++) t.equal((await failureOf(look())).type, 'upstream_failed')
  t.equal(requests.length, 10)
  t.equal(upstream.status().breaker, 'closed')
  for (let i = 0; i < 5; i++) await read().catch(() => {})
  t.equal(upstream.status().breaker, 'open')
  const before = requests.length
  t.equal((await failureOf(look())).type, 'upstream_unavailable')
  t.equal(requests.length, before, 'it is no trial')
})

t.test('one trial an interval is sent while the breaker is open, and all calls when it succeeds', async t => {
  const clock = manualClock()
  let fails = true
  const { read, requests } = await accountAt(
    t,
    (_request, response) => {
      response.statusCode = fails ? 500 : 200
      response.end(good)
    },
    { clock }
  )
  for (let i = 0; i < 5; i++) await read().catch(() => {})
  const seconds = 60
  for (let i = 0; i < seconds * 10; i++) {
    clock.advance(100)
    await read().catch(() => {})
  }
  const trials = requests.length - 5
  t.ok(trials >= 4 && trials <= 6, `${trials} in ${seconds} s: after 1, 2, 4, 8, 16, 30 s and a little more`)
  fails = false
  clock.advance(31_000)
  t.match(await read(), { id: run.id })
  t.match(await read(), { id: run.id })
})

t.test('calls that fail together open it for a second, and not for half a minute', async t => {
  const clock = manualClock()
  let fails = true
  let asked = 0
  const waiting: (() => void)[] = []
  const { read } = await accountAt(
    t,
    (_request, response) => {
      response.statusCode = fails ? 500 : 200
      waiting.push(() => response.end(good))
      // All have left before the first one fails; what is asked later has its answer at once.
      if (++asked >= 40) for (const answer of waiting.splice(0)) answer()
    },
    { clock }
  )
  await Promise.all(Array.from({ length: 40 }, () => failureOf(read())))
  fails = false
  clock.advance(1_200)
  t.match(await read(), { id: run.id })
})

t.test('a livestream that fails for one tenant, who asks for it all the time, keeps nobody else out', async t => {
  const broken = randomUUID()
  const { upstream } = await accountAt(t, (request, response) => {
    response.statusCode = request.url?.includes(broken) ? 500 : 200
    response.end(good)
  })
  const ask = (tenantId: string, id: string) =>
    upstream.on({ tenantId, priority: 'read' }).findLivestream(id, { pageNo: 1, perPage: 1 }, soon())
  const answers: boolean[] = []
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 10; i++) await ask('acme', broken).catch(() => {})
    answers.push((await ask('globex', run.id).catch(() => null)) !== null)
  }
  t.strictSame(new Set(answers), new Set([true]))
})

t.test('a call that finds the quota used up does not use up the trial', async t => {
  const clock = manualClock()
  let fails = true
  const options = { clock, quota: { calls: 20, seconds: 60 } }
  const { read, start, stop, upstream } = await accountAt(
    t,
    (request, response) => {
      response.statusCode = fails ? 500 : 200
      response.end(request.url?.endsWith('/stop') ? stopped : good)
    },
    options
  )
  for (let i = 0; i < 5; i++) await stop().catch(() => {})
  t.equal(upstream.status().breaker, 'open')
  fails = false
  for (let i = 0; i < 20; i++) {
    clock.advance(1_200)
    if ((await failureOf(read()).catch(() => null))?.type !== 'upstream_budget_exhausted') break
  }
  t.match(await start(), { id: run.id })
})

t.test('a start whose turn comes when its time is almost over is not sent', async t => {
  const clock = manualClock()
  const deadlineMs = 3_000
  const { start, on, upstream, requests } = await accountAt(t, (_request, response) => response.end(good), {
    clock,
    quota: { calls: 20, seconds: 1 },
    deadlineMs
  })
  while ((await start().catch(() => null)) !== null && requests.length < 19) {}
  const before = requests.length
  // By the clock, which stands still, its turn would come in time. It does not wait for the end of its time, which is real: what
  // went out then would end as unknown. Timers come in their order, however late.
  const almostOver = AbortSignal.timeout(0.9 * deadlineMs)
  const outcome = await failureOf(on('mutation').start(meeting, {}, almostOver))
  t.match(outcome, { type: 'upstream_budget_exhausted', outcome: 'not_sent', retryAfterSeconds: 2 })
  t.notOk(almostOver.aborted, 'there was time left to send it, and to hear the answer')
  t.equal(requests.length, before)
  clock.advance(1_100)
  t.match(await start(), { id: run.id }, 'who comes when it is its turn is sent')
  t.equal(upstream.status().breaker, 'closed')
})

t.test('a hundred stops that hang do not hold back another', async t => {
  const { on, requests } = await accountAt(t, (request, response) => {
    if (request.url?.includes(meeting)) response.end(stopped)
  })
  const giveUp = new AbortController()
  const hanging = Array.from({ length: 100 }, () =>
    on('stop')
      .stop(randomUUID(), giveUp.signal)
      .catch(() => {})
  )
  await until(() => requests.length >= 64)
  t.match(await on('stop').stop(meeting, soon()), { stopped: true })
  giveUp.abort()
  await Promise.all(hanging)
})

t.test('looks of starts that hang do not hold back the looks of stops', async t => {
  let looks = 0
  const { on, requests } = await accountAt(t, (_request, response) => {
    looks += 1
    if (looks > 70) response.end(good)
  })
  const giveUp = new AbortController()
  const hanging = Array.from({ length: 70 }, () =>
    on('mutation')
      .findActive(meeting, giveUp.signal)
      .catch(() => {})
  )
  await until(() => requests.length === 70)
  t.match(await on('stop').findActive(meeting, soon()), { id: run.id })
  giveUp.abort()
  await Promise.all(hanging)
})

t.test('a refusal of the vendor, and a caller that hangs up, say nothing of its health', async t => {
  let caller = new AbortController()
  const { on, upstream } = await accountAt(t, (request, response) => {
    if (request.url?.includes('livestreams/')) return caller.abort() // the caller has had enough
    response.statusCode = 408
    response.end('{}')
  })
  for (let i = 0; i < 10; i++) await failureOf(on('read').findMeeting(meeting, soon()))
  t.equal(upstream.status().breaker, 'closed')
  for (let i = 0; i < 10; i++) {
    caller = new AbortController()
    await failureOf(on('read').findLivestream(run.id, { pageNo: 1, perPage: 1 }, caller.signal))
  }
  t.equal(upstream.status().breaker, 'closed')
})

t.test('time-outs, lost connections and what is no HTTP open it', async t => {
  for (const [name, answer] of [
    ['lost connections', (_request, response) => response.destroy()],
    ['no HTTP', (_request, response) => response.socket?.end('garbage\r\n\r\n')],
    ['time-outs', () => {}]
  ] as [string, RequestListener][]) {
    const { on, upstream } = await accountAt(t, answer)
    for (let i = 0; i < 5; i++)
      await on('read')
        .findActive(meeting, AbortSignal.timeout(50))
        .catch(() => {})
    t.equal(upstream.status().breaker, 'open', name)
  }
})

t.test('a stop that the vendor refuses to hear is sent again when it says, if that is in time', async t => {
  let answers = 0
  const { stop, requests } = await accountAt(t, (_request, response) => {
    if (answers++ > 0) return response.end(stopped)
    response.writeHead(429, { 'retry-after': '1' }).end()
  })
  const before = performance.now()
  t.equal(await stop(), true)
  t.equal(requests.length, 2)
  t.ok(performance.now() - before >= 990, 'not before')
})

t.test('one that would have to wait for longer than its deadline is told so at once', async t => {
  const { stop, requests } = await accountAt(t, (_request, response) => {
    response.writeHead(429, { 'retry-after': '300' }).end()
  })
  t.match(await failureOf(stop()), { type: 'upstream_throttled', outcome: 'not_sent', retryAfterSeconds: 300 })
  t.equal(requests.length, 1)
})

t.test('a start that finds the quota used up waits for its turn, and a read does not', async t => {
  const clock = manualClock()
  const { start, read, requests } = await accountAt(t, (_request, response) => response.end(good), {
    clock,
    quota: { calls: 20, seconds: 5 }
  })
  while ((await start().catch(() => null)) !== null && requests.length < 19) {}
  t.equal(requests.length, 19)
  t.match(await failureOf(read()), { type: 'upstream_budget_exhausted', outcome: undefined })
  const waiting = start()
  waiting.catch(() => {})
  clock.advance(4_000)
  await until(() => true)
  t.equal(requests.length, 19)
  clock.advance(1_020)
  t.match(await waiting, { id: run.id })
})

t.test('one that waits for its turn until its time is over has sent nothing', async t => {
  const clock = manualClock()
  const { start, on, requests } = await accountAt(t, (_request, response) => response.end(good), {
    clock,
    quota: { calls: 20, seconds: 5 }
  })
  for (let i = 0; i < 19; i++) await start()
  const waiting = on('mutation').start(meeting, {}, AbortSignal.timeout(100))
  t.match(await failureOf(waiting), { type: 'upstream_budget_exhausted', outcome: 'not_sent' })
  t.equal(requests.length, 19)
})

t.test('one whose turn comes when the vendor has begun to fail is not sent', async t => {
  const clock = manualClock()
  let fails = false
  const { start, stop, requests, upstream } = await accountAt(
    t,
    (_request, response) => {
      response.statusCode = fails ? 500 : 200
      response.end(good)
    },
    { clock, quota: { calls: 20, seconds: 5 } }
  )
  for (let i = 0; i < 19; i++) await start()
  const waiting = start()
  const ended = failureOf(waiting)
  clock.advance(4_500)
  fails = true
  for (let i = 0; i < 5; i++) await stop().catch(() => {})
  t.equal(upstream.status().breaker, 'open')
  const before = requests.length
  clock.advance(520) // its turn, and not yet the next trial
  t.match(await ended, { type: 'upstream_unavailable', outcome: 'not_sent' })
  t.equal(requests.length, before)
})

t.test('one whose turn comes after its deadline is told so at once, and what it says is when', async t => {
  const clock = manualClock()
  const { start, requests } = await accountAt(t, (_request, response) => response.end(good), {
    clock,
    quota: { calls: 20, seconds: 60 }
  })
  for (let i = 0; i < 19; i++) await start()
  t.match(await failureOf(start()), { type: 'upstream_budget_exhausted', outcome: 'not_sent', retryAfterSeconds: 61 })
  t.equal(requests.length, 19)
})

t.test("the vendor's own account of its quota is believed, also in an answer that refuses", async t => {
  const { read, upstream } = await accountAt(
    t,
    (_request, response) => {
      response.writeHead(404, { ratelimit: '"default";r=40;t=30' }).end('{}')
    },
    { quota: { calls: 100, seconds: 60 } }
  )
  t.equal(await read(), null)
  t.equal(upstream.status().budget.left.read, 40 - 25)
})

t.test('a stop that the vendor hears during its pause ends the pause', async t => {
  let answers = 0
  const { stop, read, start } = await accountAt(t, (request, response) => {
    if (answers++ === 0) return response.writeHead(429, { 'retry-after': '3600' }).end()
    response.end(request.url?.endsWith('/stop') ? stopped : good)
  })
  t.equal((await failureOf(read())).type, 'upstream_throttled')
  t.equal((await failureOf(start())).type, 'upstream_throttled')
  t.equal(answers, 1)
  t.equal(await stop(), true)
  t.match(await start(), { id: run.id })
})
