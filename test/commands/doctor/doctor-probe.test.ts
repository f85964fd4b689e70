import { join } from 'node:path'
import t from 'tap'
import { createSimulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { environmentOf } from '../../support/config.ts'
import { doctorIn, fastWorld } from '../../support/doctor.ts'

const usual = {
  contract: 'L2',
  lists: 'example',
  activeDuringInvoked: '200',
  liveAfterMs: 2_500,
  startWhileLive: '409',
  stopWithNothingLive: '404',
  livestreamId: 'reused',
  nothingLive: '404',
  activeShowsEnded: false,
  stopRefusal: 'none',
  stoppingForMs: 0,
  restartAfterMs: 0,
  validation: '422',
  livestreamName: 'pattern'
} as const
const kit = { vendor: 'realtimekit', badToken: '401', dropped: 'gone' } as const

/** Vendors as they may be, each value of each switch among them, and what can't be known of them. */
const vendors: [given: SimulatorOptions, unknown: string[]][] = [
  [usual, []],
  [{ ...usual, lists: 'schema', startWhileLive: '200', activeDuringInvoked: '404', livestreamId: 'new' }, []],
  [{ ...usual, startWhileLive: 'second', stopWithNothingLive: '409' }, []],
  [{ ...usual, startWhileLive: 'second', activeDuringInvoked: '404', livestreamId: 'new', lists: 'schema' }, []],
  [{ ...usual, stopWithNothingLive: '200', liveAfterMs: 61_250 }, []],
  [{ ...usual, startWhileLive: 'second', activeDuringInvoked: '404', stopWithNothingLive: '200' }, []],
  [{ ...usual, liveAfterMs: 0 }, ['activeDuringInvoked', 'stopRefusal']],
  [{ ...usual, nothingLive: '400', stopRefusal: '400', validation: '400' }, []],
  [{ ...usual, nothingLive: '409', stopRefusal: '404', livestreamName: 'any' }, []],
  [{ ...usual, nothingLive: '500', stopRefusal: '409', activeDuringInvoked: '404' }, []],
  [{ ...usual, nothingLive: 'null', activeShowsEnded: true, stopWithNothingLive: '400' }, []],
  [{ ...usual, nothingLive: 'empty', startWhileLive: '200', stoppingForMs: 5_000 }, []],
  [{ ...usual, stoppingForMs: 7_000, livestreamId: 'new' }, []],
  [{ ...usual, stoppingForMs: 4_000, startWhileLive: 'second', livestreamId: 'new' }, []],
  [{ ...usual, stoppingForMs: 4_000, startWhileLive: 'second', activeDuringInvoked: '404' }, []],
  [{ ...usual, restartAfterMs: 3_000, restartRefusal: '400' }, []],
  [{ ...usual, restartAfterMs: 6_000, restartRefusal: '409', nothingLive: '500' }, []],
  [{ ...usual, restartAfterMs: 6_000, restartRefusal: '400', stoppingForMs: 3_000 }, []],
  // L1 has one form of lists, and tells no times: they are as good as the pauses between two looks.
  [{ ...usual, contract: 'L1', liveAfterMs: 3_000 }, ['lists']],
  [{ ...usual, contract: 'L1', liveAfterMs: 3_000, activeDuringInvoked: '404', livestreamId: 'new' }, ['lists']],
  [{ ...usual, contract: 'L1', liveAfterMs: 3_000, stopRefusal: '404', activeDuringInvoked: '404' }, ['lists']],
  [{ ...usual, contract: 'L1', liveAfterMs: 3_000, nothingLive: '500', stoppingForMs: 3_000 }, ['lists']],
  [{ ...usual, contract: 'L1', liveAfterMs: 4_000, startWhileLive: 'second', activeDuringInvoked: '404' }, ['lists']],
  [{ ...usual, contract: 'L1', liveAfterMs: 1_000, startWhileLive: '200', stopWithNothingLive: '200' }, ['lists']],
  [{ ...usual, ...kit, contract: undefined }, []],
  [{ ...usual, ...kit, contract: undefined, badToken: '403', dropped: 'answer', lists: 'schema' }, []],
  [{ ...usual, ...kit, contract: undefined, startWhileLive: 'second', activeDuringInvoked: '404' }, []]
] as [SimulatorOptions, string[]][]

const switchOf = (name: string): string =>
  name.replace(/Ms$/, '').replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)

t.test(`the switches that imitate a vendor are found, and nothing goes on: ${vendors.length} vendors`, async t => {
  for (const [i, [given, unknown]] of vendors.entries()) {
    const world = fastWorld()
    const simulator = await createSimulator({ ...given, now: world.clock.now })
    t.teardown(() => simulator.close())
    const meetingId = simulator.addMeeting().id
    const env = { ...environmentOf(simulator), DATABASE_URL: `sqlite:${join(t.testdir(), `${i}.db`)}` }
    const options = { probeMeeting: meetingId, yes: true, json: true }
    const { code, stdout, stderr } = await doctorIn(world, env, options)
    const name = JSON.stringify(given)
    t.strictSame({ code, stderr }, { code: 0, stderr: '' }, name)
    const { answers, simulate, open, observed, ...rest } = JSON.parse(stdout)
    const { vendor, ...switches } = given
    const expected = Object.entries(switches).filter(([one, value]) => value !== undefined && !unknown.includes(one))
    t.strictSame(answers, Object.fromEntries(expected.map(([one, value]) => [switchOf(one), String(value)])), name)
    t.strictSame(rest, { ok: true, upstream: 'default', meeting_id: meetingId })
    t.strictSame(
      simulate.split(' --').sort(),
      [
        'livegate simulate',
        ...(vendor === undefined ? [] : [`vendor ${vendor}`]),
        ...Object.entries(answers).flatMap(([one, value]) =>
          value === 'false' ? [] : value === 'true' ? [one] : [`${one} ${value}`]
        )
      ].sort()
    )
    t.strictSame(
      open.map(({ question }: { question: string }) => question),
      unknown.filter(one => one !== 'lists').map(switchOf)
    )
    const runs = simulator.livestreams().flatMap(({ sessions }) => sessions)
    t.ok(
      runs.every(({ stopped_time }) => stopped_time !== null),
      'all are stopped'
    )
    t.ok(runs.length <= 4, 'four at most')
    t.ok(observed.length >= 12, 'what was answered is told')
    t.notMatch(JSON.stringify(observed), /rtmps|https|[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{20}/, 'and no value of it')
    t.ok(simulator.journal.length < 60 + world.pauses() * 2, `${simulator.journal.length} calls, and pauses between`)
  }
})

t.test(
  'a vendor that takes no start for minutes after a stop: the probe says so, and has stopped what it began',
  async t => {
    const world = fastWorld()
    const simulator = await createSimulator({ ...usual, restartAfterMs: 300_000, now: world.clock.now })
    t.teardown(() => simulator.close())
    const probeMeeting = simulator.addMeeting().id
    const env = { ...environmentOf(simulator), DATABASE_URL: `sqlite:${join(t.testdir(), 'slow.db')}` }
    const { code, stdout } = await doctorIn(world, env, { probeMeeting, yes: true, json: true })
    t.equal(code, 0)
    t.match(
      JSON.parse(stdout).open.filter(({ question }: { question: string }) => question === 'restart-after'),
      [{ why: /no start was taken within 60 s of a stop/ }]
    )
    t.ok(simulator.livestreams().every(({ sessions }) => sessions.every(({ stopped_time }) => stopped_time !== null)))
  }
)

t.test(
  'an answer that is neither a livestream nor nothing is told as what it is, and nothing is left running',
  async t => {
    for (const [data, why] of [
      [{ odd: true }, /something else in it/],
      [{ id: 'a1', status: 'IDLE' }, /a livestream that is over/]
    ] as const) {
      const world = fastWorld()
      const simulator = await createSimulator({ ...usual, now: world.clock.now })
      t.teardown(() => simulator.close())
      const probeMeeting = simulator.addMeeting().id
      const match = { method: 'GET', path: `/meetings/${probeMeeting}/active-livestream` }
      simulator.failNext([{ match }, { match, status: 200, body: { success: true, data } }])
      const env = { ...environmentOf(simulator), DATABASE_URL: `sqlite:${join(t.testdir(), 'odd.db')}` }
      const { stdout } = await doctorIn(world, env, { probeMeeting, yes: true, json: true })
      t.match(
        JSON.parse(stdout).open?.filter(({ question }: { question: string }) => question === 'nothing-live'),
        [{ why }]
      )
      t.ok(simulator.livestreams().every(({ sessions }) => sessions.every(({ stopped_time }) => stopped_time !== null)))
    }
  }
)

t.test('the start right after the stop is told, and how long a look takes is not how long a run goes on', async t => {
  const world = fastWorld(3)
  const simulator = await createSimulator({ now: world.clock.now })
  t.teardown(() => simulator.close())
  const env = { ...environmentOf(simulator), DATABASE_URL: `sqlite:${join(t.testdir(), 'none.db')}` }
  const options = { probeMeeting: simulator.addMeeting().id, yes: true, json: true }
  const { observed, answers } = JSON.parse((await doctorIn(world, env, options)).stdout)
  const directly = observed.filter(({ question }: { question: string }) => question === 'start directly after a stop')
  t.match(directly, [{ status: 201 }])
  t.equal(directly.length, 1)
  t.equal(answers['stopping-for'], '0')
})
