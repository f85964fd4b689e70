/**
 * A clock is set by an operator, by NTP or by a virtual machine that wakes up: by an hour or by three days, forward or back. What
 * never runs backwards goes on meanwhile, and nothing that is promised depends upon the other one.
 */
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { commandLine } from '../../support/cli.ts'
import { hourMs, type ManualClock, manualClock, steps } from '../../support/clock.ts'
import { gateway, type Reply, type World, type WorldOptions } from '../../support/gateway.ts'
import { operationOf } from '../../support/store/helper.ts'
import { until } from '../../support/until.ts'

/** As the test gateways have it. */
const deadlineMs = 2_000
const looksApartMs = 5_000

interface SteppedWorld extends World {
  clock: ManualClock
  start(): Promise<Reply>
  stop(): Promise<Reply>
  /** Starts again and again until the meeting is no longer held by an earlier start, while time passes. */
  startWhenFree(): Promise<Reply>
  /** Time passes until it holds. */
  passes(holds: () => boolean | Promise<boolean>): Promise<void>
  /** The states of the operations of that kind, in order. */
  states(kind: 'start' | 'stop'): Promise<string>
  /** How many livestreams are live. */
  live(): number
  stopsSent(): number
}

/** A gateway and a vendor of which each has its own clock. Both run equally fast, and only the gateway's is set. */
async function world(t: Test, options: WorldOptions = {}): Promise<SteppedWorld> {
  const clock = manualClock()
  const begunAtMs = clock.now()
  const vendor = { now: () => begunAtMs + clock.monotonic() }
  const made = await gateway(t, { clock, ...options, simulator: vendor })
  const { asAcme, meeting, simulator, store } = made
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  return {
    ...made,
    clock,
    start,
    stop: () => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`),
    async startWhenFree() {
      let reply = await start()
      for (; reply.json().error?.type === 'start_unsettled'; reply = await start()) clock.advance(250)
      return reply
    },
    passes: holds =>
      until(async () => {
        clock.advance(20)
        return holds()
      }, 100_000),
    async states(kind) {
      const rows = store.sql.selectFrom('operations').select('state').where('kind', '=', kind).orderBy('ordinal')
      return (await store.engine.read(rows.compile())).map(({ state }) => state).join()
    },
    live: () => simulator.livestreams().filter(({ status }) => status === 'LIVE').length,
    stopsSent: () => simulator.journal.filter(({ target }) => target.endsWith('/active-livestream/stop')).length
  }
}

/** The same for each step of the clock, at once: most of the time is waiting. */
const patience = { jobs: steps.length, timeout: 240_000 }
t.setTimeout(600_000)
t.jobs = 4

function forEachStep(name: string, check: (t: Test, stepMs: number) => Promise<void>): void {
  t.test(name, { ...patience }, async t => {
    await Promise.all(steps.map(stepMs => t.test(`${stepMs / hourMs} h`, { ...patience }, t => check(t, stepMs))))
  })
}

const lostStart = { match: { method: 'POST', path: '/meetings/*/livestreams' }, hangUp: true }
const anyStop = { method: 'POST', path: '/meetings/*/active-livestream/stop' }

forEachStep(
  'a start whose answer was lost holds its meeting until its deadline is over, and no longer',
  async (t, ms) => {
    const { start, startWhenFree, clock, simulator, states } = await world(t)
    simulator.failNext(lostStart)
    const sentOnMs = clock.monotonic()
    t.match((await start()).json().error, { outcome: 'unknown' })
    clock.step(ms)
    t.equal((await startWhenFree()).statusCode, 201)
    const heldMs = clock.monotonic() - sentOnMs
    t.ok(heldMs >= deadlineMs + looksApartMs, `not before: ${heldMs} ms`)
    t.ok(heldMs < 3 * (deadlineMs + looksApartMs), `nor much later: ${heldMs} ms`)
    t.equal(simulator.livestreams()[0]?.starts, 1)
    t.equal(await states('start'), 'failed,done')
  }
)

forEachStep('a start that arrives late at the vendor is found, and is the only one', async (t, ms) => {
  const { start, startWhenFree, clock, simulator, states, meeting } = await world(t)
  simulator.failNext(lostStart)
  await start()
  clock.step(ms)
  clock.advance(1_500)
  const { id } = simulator.startFromBrowser(meeting)
  const reply = await startWhenFree()
  t.match(reply.json(), { data: { id } })
  t.equal(reply.statusCode, 200)
  t.equal(simulator.livestreams()[0]?.starts, 1)
  t.equal(await states('start'), 'done')
})

forEachStep(
  'an operation that an earlier gateway has left open is waited for as if it had just been sent',
  async (t, ms) => {
    const { startWhenFree, clock, simulator } = await world(t, {
      async before(store) {
        const meetings = store.sql.selectFrom('meetings').select('id').where('tenant_id', '=', 'acme')
        const [meeting] = await store.engine.read(meetings.compile())
        // The clock was set while nobody served.
        const left = operationOf('acme', { meetingId: meeting?.id ?? '', sentAtMs: Date.now() - ms })
        await store.engine.write([operationsIn(store).sent(left)])
      }
    })
    t.equal((await startWhenFree()).statusCode, 201)
    t.ok(clock.monotonic() >= deadlineMs + looksApartMs, `${clock.monotonic()} ms`)
    t.equal(simulator.livestreams()[0]?.starts, 1)
  }
)

for (const when of ['before', 'after'] as const) {
  const set = `with the clock set ${when} it`

  forEachStep(`a stop that was lost is repeated, ${set}`, async (t, ms) => {
    const { start, stop, clock, simulator, states, live, passes } = await world(t)
    await start()
    clock.advance(2_000)
    if (when === 'before') clock.step(ms)
    simulator.failNext({ match: anyStop, hangUp: true })
    t.match((await stop()).json().error, { outcome: 'unknown' })
    if (when === 'after') clock.step(ms)
    await passes(async () => (await states('stop')) === 'done')
    t.equal(live(), 0)
  })

  forEachStep(`its repetition ends no later start, ${set}`, async (t, ms) => {
    const { start, stop, clock, simulator, states, live, stopsSent, passes, asAcme, meeting } = await world(t)
    const { id } = (await start()).json().data
    // Seen on air: one look that shows nothing is believed from then on.
    t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 200)
    clock.advance(2_000)
    if (when === 'before') clock.step(ms)
    const recover = simulator.fail({ match: anyStop, status: 500 })
    t.match((await stop()).json().error, { outcome: 'unknown' })
    if (when === 'after') clock.step(ms)
    // It ends by itself, and is wanted again.
    clock.advance(2_000)
    simulator.end(id)
    t.equal((await start()).statusCode, 201)
    recover()
    await passes(async () => (await states('stop')) === 'failed')
    const sent = stopsSent()
    const untilMs = performance.now() + 1_500
    await passes(() => performance.now() > untilMs)
    t.equal(stopsSent(), sent)
    t.equal(live(), 1)
  })

  forEachStep(`nor what a browser has begun after it, ${set}`, async (t, ms) => {
    const { start, stop, clock, simulator, states, live, meeting, passes } = await world(t)
    const { id } = (await start()).json().data
    clock.advance(2_000)
    if (when === 'before') clock.step(ms)
    const recover = simulator.fail({ match: anyStop, status: 500 })
    t.match((await stop()).json().error, { outcome: 'unknown' })
    if (when === 'after') clock.step(ms)
    clock.advance(2_000)
    simulator.end(id)
    simulator.startFromBrowser(meeting)
    recover()
    await passes(async () => (await states('stop')) === 'failed')
    t.equal(live(), 1)
  })
}

forEachStep('lists and reads show what is over as over, and what is live as live', async (t, ms) => {
  const { start, stop, clock, simulator, asAcme, meeting } = await world(t)
  /** The vendor's clock has whole seconds: within one of them nothing tells two runs apart. */
  const passes = () => clock.advance(2_000)
  const listed = async () => (await asAcme('GET', '/v2/livestreams')).json().data[0].status
  const active = async () => (await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode
  const { id } = (await start()).json().data
  t.equal(await listed(), 'LIVE')
  clock.step(ms)
  passes()
  simulator.end(id)
  t.equal(await listed(), 'IDLE', 'ended by a browser')
  t.equal(await active(), 404)
  passes()
  await start()
  t.equal(await listed(), 'LIVE')
  t.equal(await active(), 200)
  clock.step(-ms)
  passes()
  t.equal((await stop()).statusCode, 200)
  t.equal(await listed(), 'IDLE', 'stopped')
  t.equal(await active(), 404)
})

forEachStep('the audit log holds, at once', async (t, ms) => {
  const { start, stop, clock, storeFile, flushAudit } = await world(t)
  const { json } = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}` })
  await start()
  clock.step(ms)
  await stop()
  await flushAudit()
  t.match(await json('audit', 'verify'), { verified: true })
  clock.step(-ms)
  await start()
  await flushAudit()
  t.match(await json('audit', 'verify'), { verified: true })
})

forEachStep('a key that was revoked is refused within five seconds, and stays refused', async (t, ms) => {
  const { clock, withKey, store } = await world(t)
  const { id, call } = await withKey('acme', ['livestreams:read'])
  clock.step(ms)
  t.equal((await call('GET', '/v2/livestreams')).statusCode, 200, 'the store is seen: nobody is kept out')
  await apiKeysIn(store).revoke(id, Date.now())
  await until(async () => (await call('GET', '/v2/livestreams')).statusCode === 401, 5_000)
  clock.step(-ms)
  t.equal((await call('GET', '/v2/livestreams')).statusCode, 401)
})

forEachStep('a gateway that cannot read its store keeps callers out after a minute, and not before', async (t, ms) => {
  const { asAcme, store, directory, clock } = await world(t)
  const run = (statement: string) => store.engine.write([sql.raw(statement).compile(store.sql as never) as never])
  const status = async () => (await asAcme('GET', '/v2/livestreams')).statusCode
  await run('alter table tenants rename to away')
  await directory.pull().catch(() => {})
  clock.step(ms)
  clock.advance(59_000)
  t.equal(await status(), 200)
  clock.advance(2_000)
  t.equal(await status(), 503)
  await run('alter table away rename to tenants')
  await directory.pull()
  t.equal(await status(), 200)
})
