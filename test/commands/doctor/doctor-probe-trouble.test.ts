import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createSimulator, type Fault, type Simulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { type Outcome, startProcess } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'
import { doctorIn, type FastWorld, fastWorld } from '../../support/doctor.ts'
import { campaigns, countOf } from '../../support/runner/campaigns.ts'
import { until } from '../../support/until.ts'

interface Place {
  simulator: Simulator
  world: FastWorld
  meeting: string
  env: Record<string, string | undefined>
  /** The questions, with `--yes`. */
  probe(): Promise<Outcome>
  /** Calls that begin so, as `METHOD /path`. */
  sent(method: string, path: string): number
}

async function place(t: Test, options: SimulatorOptions = {}): Promise<Place> {
  const world = fastWorld()
  const simulator = await createSimulator({ now: world.clock.now, ...options })
  t.teardown(() => simulator.close())
  const meeting = simulator.addMeeting().id
  const env = { ...environmentOf(simulator), DATABASE_URL: `sqlite:${join(t.testdir(), 'none.db')}` }
  return {
    simulator,
    world,
    meeting,
    env,
    probe: () => doctorIn(world, env, { probeMeeting: meeting, yes: true, json: true }),
    sent: (method, path) => simulator.journal.filter(one => one.method === method && one.target.endsWith(path)).length
  }
}

const starting = { method: 'POST', path: '/meetings/*/livestreams' }
const stopping = { method: 'POST', path: '/meetings/*/active-livestream/stop' }
const looking = { method: 'GET', path: '/meetings/*/active-livestream' }

function running(simulator: Simulator): number {
  return simulator.livestreams().filter(({ sessions }) => sessions.some(run => run.stopped_time === null)).length
}

const troubles: Record<
  string,
  { fault: Fault | Fault[]; when: 'at once' | 'later'; says: RegExp; options?: SimulatorOptions }
> = {
  'a start that fails and has happened': {
    fault: { match: starting, status: 500, afterWork: true },
    when: 'at once',
    says: /a start was answered with 500/,
    options: { livestreamName: 'any' }
  },
  'a start whose answer is lost': {
    fault: { match: starting, hangUp: true, afterWork: true },
    when: 'at once',
    says: /the connection to http:\S+ broke/,
    options: { livestreamName: 'any' }
  },
  'a start that is answered with something else': {
    fault: { match: starting, garbage: true, afterWork: true },
    when: 'at once',
    says: /a start was answered with 200, which says neither/,
    options: { livestreamName: 'any' }
  },
  'a second start that fails and has happened': {
    fault: { match: starting, status: 503, afterWork: true },
    when: 'later',
    says: /a start was answered with 503/,
    options: { startWhileLive: 'second', activeDuringInvoked: '404' }
  },
  'a look that fails': {
    fault: { match: looking, status: 500 },
    when: 'later',
    says: /the question what is live was answered with 500/
  },
  'looks and stops that fail for a while': {
    fault: [
      { match: looking, status: 500 },
      { match: looking, hangUp: true },
      { match: stopping, status: 503 },
      { match: stopping, retryAfterSeconds: 4 },
      { match: stopping, hangUp: true },
      { match: stopping, status: 401 }
    ],
    when: 'later',
    says: /the question what is live was answered with 500/
  }
}

// They wait, each for a vendor of its own.
t.jobs = 8

t.test('a probe stops what it has started, and tells what it has learnt, whatever fails in the middle', async t => {
  for (const [name, { fault, when, says, options }] of Object.entries(troubles)) {
    await t.test(name, async t => {
      const { simulator, world, probe } = await place(t, options)
      if (when === 'at once') simulator.failNext(fault)
      else world.atPause(number => number === 1 && simulator.failNext(fault))
      const { code, stdout, stderr } = await probe()
      t.equal(code, 1)
      t.match(stderr, says)
      t.match(JSON.parse(stdout), { ok: false, answers: when === 'later' ? { contract: 'L2' } : {} })
      t.ok(simulator.livestreams().length > 0, 'something was started')
      t.equal(running(simulator), 0)
    })
  }
})

t.test('a stop that never works is said loudly', async t => {
  const { simulator, world, probe } = await place(t)
  world.atPause(number => number === 1 && simulator.fail({ match: stopping, status: 503 }))
  const { code, stderr } = await probe()
  t.equal(code, 1)
  t.equal(stderr, 'livegate: a livestream that was started may still be live: stop it by hand\n')
  t.equal(running(simulator), 1)
  t.ok(world.clock.monotonic() < 300_000)
})

t.test('stops that took too long at first, and worked in the end', async t => {
  const { simulator, world, probe } = await place(t)
  let mend = (): void => {}
  world.atPause(number => {
    if (number === 2) mend = simulator.fail({ match: stopping, status: 503 })
    if (number === 80) mend()
  })
  const { code, stderr } = await probe()
  t.equal(code, 1)
  t.equal(stderr, 'livegate: a stop took more than 60 s to work\n')
  t.equal(running(simulator), 0)
})

t.test('it ends in time, also when a vendor takes long', async t => {
  const { simulator, world, probe } = await place(t)
  world.atPause(number => number === 1 && world.sleep(300_000))
  const { code, stderr } = await probe()
  t.equal(code, 1)
  t.equal(stderr, 'livegate: not done within 300 s\n')
  t.equal(running(simulator), 0)
})

t.test('an interrupted probe ends once all is stopped', async t => {
  const { simulator, world, probe } = await place(t)
  world.atPause(number => {
    if (number === 1) world.interrupt()
  })
  const { code, stdout, stderr } = await probe()
  t.equal(code, 1)
  t.equal(stderr, 'livegate: note: ends when everything that was started is stopped\nlivegate: interrupted\n')
  t.match(JSON.parse(stdout), { ok: false, answers: { contract: 'L2' } })
  t.equal(running(simulator), 0)
  t.equal(simulator.livestreams().length, 1)
})

t.test('interrupted before the first start it starts nothing', async t => {
  const { simulator, world, probe, sent } = await place(t)
  const { onInterrupt } = world
  world.onInterrupt = interrupt => {
    const end = onInterrupt(interrupt)
    interrupt()
    return end
  }
  t.equal((await probe()).code, 1)
  t.equal(sent('POST', '/livestreams') + sent('POST', '/stop'), 0)
  t.equal(running(simulator), 0)
})

t.test(
  'a run that the vendor does not show is stopped as well: a stop that failed, or came too early, is not the last',
  async t => {
    const hidden = { activeDuringInvoked: '404', liveAfterMs: 3_600_000 } as const
    const cases: [SimulatorOptions, Fault, number][] = [
      // In the old contract nothing shows a run before it is LIVE: a stop must have been heard.
      [{ ...hidden, contract: 'L1' }, { match: stopping, status: 503 }, 1],
      [{ ...hidden, contract: 'L2' }, { match: stopping, status: 404, body: '{}' }, 3]
    ]
    for (const [options, fault, times] of cases) {
      const { simulator, world, probe } = await place(t, options)
      world.atPause(number => {
        if (number !== 1) return
        simulator.failNext(fault, times)
        world.interrupt()
      })
      t.match(await probe(), { code: 1, stderr: /interrupted/ })
      t.equal(simulator.livestreams().length, 1)
      t.equal(running(simulator), 0)
    }
  }
)

t.test('a start that was lost and is carried out late is stopped', async t => {
  const { simulator, world, meeting, probe } = await place(t)
  simulator.failNext({ match: starting, hangUp: true })
  world.atPause(number => {
    if (number === 3) simulator.startFromBrowser(meeting)
  })
  t.match(await probe(), { code: 1, stderr: /broke/ })
  t.equal(simulator.livestreams().length, 1)
  t.equal(running(simulator), 0)
})

t.test('a vendor that asks for a pause gets it', async t => {
  const { simulator, world, probe } = await place(t)
  world.atPause(number => {
    if (number !== 1) return
    simulator.failNext({ match: stopping, retryAfterSeconds: 20 })
    world.interrupt()
  })
  await probe()
  const stops = simulator.journal.filter(({ target }) => target.endsWith('/stop')).map(({ at }) => at)
  t.equal((stops.at(-1) ?? 0) - (stops.at(-2) ?? 0), 20_000)
  t.equal(running(simulator), 0)
})

t.test('interrupted, or with a call that fails, at any moment: nothing goes on', async t => {
  const odd: SimulatorOptions[] = [
    { startWhileLive: 'second', activeDuringInvoked: '404' },
    { nothingLive: '500', stopRefusal: '404', activeDuringInvoked: '404', livestreamName: 'any' },
    { nothingLive: '400', stopRefusal: '400', stopWithNothingLive: '400', stoppingForMs: 3_000, startWhileLive: '200' },
    { nothingLive: 'null', activeShowsEnded: true, restartAfterMs: 4_000, validation: '400', livestreamId: 'new' },
    { contract: 'L1', stopRefusal: '404', activeDuringInvoked: '404', liveAfterMs: 3_000 }
  ]
  const faults: Fault[] = [
    { match: starting, hangUp: true, afterWork: true },
    { match: starting, status: 500, afterWork: true },
    { match: stopping, hangUp: true },
    { match: stopping, status: 503 },
    { match: looking, status: 500 },
    { match: looking, hangUp: true }
  ]
  const moments = 18
  const all = odd.flatMap(options => Array.from({ length: moments }, (_, i) => ({ options, when: i + 1 })))
  t.equal(all.length, campaigns.probes.inFull)
  // Each of so many, so that the normal run has moments of each vendor, and every fault.
  const some = all.filter((_, i) => i % (all.length / countOf('probes')) === 0)
  for (const { options, when } of some) {
    const { simulator, world, probe } = await place(t, options)
    const fault = when % 3 === 0 ? null : faults[when % faults.length]
    world.atPause(number => {
      if (number !== when) return
      if (fault == null) world.interrupt()
      else simulator.failNext(fault)
    })
    const { code, stderr } = await probe()
    if (running(simulator) > 0) t.fail(`${JSON.stringify({ options, when, fault, code, stderr })}`)
    if (fault === null && code === 1) t.match(stderr, /livegate: interrupted\n$/)
    await simulator.close()
  }
  t.pass('nothing goes on')
})

t.test('a signal to the process stops what was started', async t => {
  const simulator = await createSimulator({ liveAfterMs: 3_600_000 })
  t.teardown(() => simulator.close())
  const meeting = simulator.addMeeting().id
  const env = { ...environmentOf(simulator), DATABASE_URL: `sqlite:${join(t.testdir(), 'none.db')}` }
  const child = startProcess(t, ['doctor', '--probe-meeting', meeting, '--yes'], env)
  await until(() => running(simulator) === 1)
  child.signal('SIGTERM')
  const { code, stderr } = await child.ended
  t.equal(code, 1)
  t.match(stderr, /livegate: interrupted\n$/)
  t.equal(running(simulator), 0)
})

t.test(
  'a probe starts nothing when its first stop is refused, and stops nothing when its start is refused',
  async t => {
    const { simulator, probe, sent } = await place(t)
    simulator.fail({ match: stopping, status: 403, body: { success: false } })
    t.match(await probe(), {
      code: 1,
      stderr: /a stop was answered with 403: what cannot be stopped must not be started/
    })
    t.equal(sent('POST', '/livestreams'), 0)
    simulator.clearFaults()
    simulator.fail({ match: starting, status: 403, body: { success: false } })
    t.match(await probe(), { code: 1, stderr: /a start was refused with 403/ })
    t.equal(sent('POST', '/stop'), 2, 'one of each before the first start, none after a start that was refused')
  }
)

t.test('a start that never left stops nothing', async t => {
  const sent: string[] = []
  const server = createServer((request, response) => {
    sent.push(`${request.method} ${request.url?.replace(/\?.*/, '')}`)
    const isThere = /meetings(\/m)?$|livestreams$/.test(request.url?.replace(/\?.*/, '') ?? '')
    const now = new Date().toISOString()
    const meeting = { id: 'm', created_at: now, updated_at: now }
    const body = { success: true, data: request.url?.endsWith('/m') ? meeting : [] }
    response.writeHead(isThere ? 200 : 404, { connection: 'close' }).end(isThere ? JSON.stringify(body) : '{}')
    if (request.method === 'POST') server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const env = {
    DYTE_BASE_URL: `http://127.0.0.1:${port}/v2`,
    DYTE_ORG_ID: 'org-1',
    DYTE_API_KEY: 'key-1',
    DATABASE_URL: `sqlite:${join(t.testdir(), 'none.db')}`
  }
  const { code, stderr } = await doctorIn(fastWorld(), env, { probeMeeting: 'm', yes: true })
  t.equal(code, 1)
  t.match(stderr, /^livegate: nothing listens at http:\/\/127\.0\.0\.1:\d+: connection refused\n$/)
  t.strictSame(
    sent.filter(one => one.startsWith('POST')),
    ['POST /v2/meetings/m/active-livestream/stop']
  )
})

t.test('a probe says what the vendor does that no switch imitates, and what it does not do at all', async t => {
  const open = async (options: SimulatorOptions, arrange: (at: Place) => void): Promise<Record<string, string>> => {
    const at = await place(t, options)
    arrange(at)
    const { code, stdout } = await at.probe()
    t.equal(code, 0)
    t.equal(running(at.simulator), 0)
    const list: { question: string; why: string }[] = JSON.parse(stdout).open
    return Object.fromEntries(list.map(({ question, why }) => [question, why]))
  }
  const never = { liveAfterMs: 3_600_000 }
  t.match(await open(never, () => {}), { 'live-after': /not LIVE within 90 s: is anybody/ })
  t.strictSame(
    await open({ ...never, contract: 'L1', activeDuringInvoked: '404' }, () => {}).then(Object.keys),
    ['active-during-invoked', 'live-after', 'start-while-live'],
    'an old contract shows nothing of it: then it is not known whether it runs'
  )
  const endsItself = ({ world, simulator }: Place): void =>
    world.atPause(number => {
      if (number === 3) simulator.end(simulator.livestreams()[0]?.id ?? '')
    })
  t.match(await open({}, endsItself), { 'start-while-live': 'the livestream had ended by itself' })
  const oddAnswers = ({ simulator, world }: Place): void => {
    simulator.failNext({ match: stopping, status: 400, body: '{}' })
    simulator.failNext({
      match: { method: 'GET', path: '/livestreams' },
      body: { success: true, data: [] },
      status: 200
    })
    // The first is that of the look whether the meeting is idle, the next two are of many in a page.
    simulator.failNext({ match: { method: 'GET', path: '/livestreams' } }, 2)
    simulator.failNext({
      match: { method: 'GET', path: '/livestreams' },
      body: { success: true, data: {} },
      status: 200
    })
    world.atPause(number => {
      if (number === 3) simulator.failNext({ match: starting, status: 422, body: '{}' })
    })
  }
  t.match(await open({}, oddAnswers), {
    lists: 'the list has the form of the schema, a livestream that of the example',
    'start-while-live': 'the vendor answered 422, which the simulator does not imitate',
    'a stop before the first livestream': 'it was answered 400, later ones 404'
  })
  const oddEdge = ({ simulator }: Place): void =>
    simulator.failNext([
      { match: { path: '/meetings/*/livestream' }, status: 405, body: '{}' },
      { match: { path: '/meetings' } },
      { match: { path: '/meetings' }, status: 418, body: '{}' }
    ])
  t.match(await open({ vendor: 'realtimekit' }, oddEdge), {
    'bad-token': 'the vendor answered 418, which the simulator does not imitate',
    dropped: 'the vendor answered 405, which the simulator does not imitate'
  })
})
