import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { times } from '../../support/broadcast/queued-calls.ts'
import { plenty } from '../../support/config.ts'
import { gateway, type Reply, type World } from '../../support/gateway.ts'
import { freshKey, makeMeetings } from '../../support/http/mutating.ts'
import { until } from '../../support/until.ts'

/** Calls again when it is answered, a way over a network apart, until the time is over and it has called so often, and at most 2,000 times. */
async function inALoop(ms: number, call: () => Promise<Reply>, atLeast = 0): Promise<Reply[]> {
  const endsAtMs = performance.now() + ms
  const replies: Reply[] = []
  while ((performance.now() < endsAtMs || replies.length < atLeast) && replies.length < 2_000) {
    replies.push(await call())
    await pause(5)
  }
  return replies
}

function callsAbout({ simulator }: World, meeting: string): number {
  return simulator.journal.filter(({ target }) => target.includes(meeting)).length
}

// They wait, each for a vendor of its own.
t.jobs = 8

t.test('stops that fail are spaced, whatever a client does: each pause is longer than the one before', async t => {
  const world = await gateway(t, { config: { writeLimit: plenty } })
  const { asAcme, meeting, simulator } = world
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  simulator.fail({ match: { path: '/meetings/*/active-livestream/stop' }, status: 500 })
  const before = callsAbout(world, meeting)
  const loops = times(5, () => inALoop(4_000, () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)))
  const startedAtMs = performance.now()
  const replies = (await Promise.all(loops)).flat()
  const seconds = (performance.now() - startedAtMs) / 1_000
  for (const reply of replies) t.match(reply.json().error, { outcome: 'unknown' })
  // Never closer than two seconds, with a look at most for each.
  t.ok(
    callsAbout(world, meeting) - before <= 3 * (1 + seconds / 2),
    `${callsAbout(world, meeting) - before} vendor calls`
  )
})

t.test('a stop that is asked for again under its key asks the vendor no more often than any other', async t => {
  const world = await gateway(t, { config: { writeLimit: plenty } })
  const { asAcme, meeting, simulator } = world
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  simulator.fail({ match: { path: '/meetings/*/active-livestream/stop' }, status: 500 })
  const key = freshKey()
  const before = callsAbout(world, meeting)
  const startedAtMs = performance.now()
  const stop = () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`, undefined, key)
  const replies = await inALoop(3_000, stop, 20)
  const seconds = (performance.now() - startedAtMs) / 1_000
  for (const reply of replies.slice(1)) t.match(reply.headers['retry-after'], /^\d+$/)
  t.ok(
    callsAbout(world, meeting) - before <= 3 * (1 + seconds / 2),
    `${callsAbout(world, meeting) - before} vendor calls`
  )
})

t.test(
  'a tenant whose stops all fail locks nobody out: with the default quota the stops of others are sent',
  async t => {
    const world = await gateway(t, {
      simulator: { quota: '2000/60,60' },
      config: { writeLimit: plenty, deadlineMs: 2_000 },
      quota: { calls: 2_000, seconds: 60 }
    })
    const { asAcme, asGlobex, otherMeeting, simulator, store } = world
    const meetings = await makeMeetings(store, simulator, 'acme', 120)
    const startedBefore = await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)
    t.equal(startedBefore.statusCode, 201)
    for (const id of meetings)
      simulator.fail({ match: { path: `/meetings/${id}/active-livestream/stop` }, status: 500 })
    const key = freshKey()
    const loops = meetings.map(id =>
      inALoop(9_000, () => asAcme('POST', `/v2/meetings/${id}/active-livestream/stop`, undefined, key))
    )
    await pause(6_000)
    t.equal((await asGlobex('POST', `/v2/meetings/${otherMeeting}/active-livestream/stop`)).statusCode, 200)
    await Promise.all(loops)
    t.notOk(
      simulator.journal.some(({ status }) => status === 429),
      'the vendor was never asked too much'
    )
    const stops = simulator.journal.filter(({ target }) => target.endsWith('/stop')).length
    t.ok(stops < 1_000, `${stops} stops went out`)
  }
)

t.test('so many stops of one meeting wait, and no more: the next one goes out all the same', async t => {
  const { asAcme, meeting, simulator, door, inLine } = await gatewayBehindDoor(t, {
    config: { writeLimit: plenty }
  })
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const stop = () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  door.hold('POST')
  const first = stop()
  await until(() => door.held().length === 1)
  const others = await inLine(times(200, () => stop))
  door.release()
  t.equal((await first).statusCode, 200)
  const replies = await Promise.all(others)
  const refused = replies.filter(({ statusCode }) => statusCode === 503)
  t.equal(refused.length, 135, 'all but the one that goes out next and the 64 that wait for it')
  for (const reply of refused) {
    t.match(reply.json().error, { type: 'stop_under_way', outcome: 'unknown' })
    t.equal(reply.headers['retry-after'], '1')
  }
  t.equal(replies.filter(({ statusCode }) => statusCode === 200).length, 65)
  t.equal(simulator.journal.filter(({ target }) => target.endsWith('/stop')).length, 2)
})
