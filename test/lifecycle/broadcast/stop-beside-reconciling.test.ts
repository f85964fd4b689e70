import { mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t from 'tap'
import type { Caller } from '../../../src/domain/caller.ts'
import { MeetingQueue } from '../../../src/lifecycle/broadcast/meeting-queue.ts'
import { sendStop } from '../../../src/lifecycle/broadcast/send-stop.ts'
import { stop } from '../../../src/lifecycle/broadcast/stop.ts'
import { StopRights } from '../../../src/lifecycle/broadcast/stop-rights.ts'
import { deadlines } from '../../../src/lifecycle/context.ts'
import type { AuditTrail } from '../../../src/lifecycle/operations/audit-trail.ts'
import { ReconcileLoop } from '../../../src/lifecycle/operations/reconcile-loop.ts'
import { OwnStarts } from '../../../src/lifecycle/running/own-actions.ts'
import type { Provider, Upstreams } from '../../../src/upstream/provider.ts'
import { reconciling, runOf, sentOperation } from '../../support/broadcast/reconciling.ts'
import { manualClock } from '../../support/clock.ts'
import { endingRunsOf } from '../../support/ending-runs.ts'
import { gateway } from '../../support/gateway.ts'
import { ledgerIn } from '../../support/ledger/ledger.ts'
import { until } from '../../support/until.ts'

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test(
  'a repeated stop that went out before a late start began is sent again, though that start is settled',
  async t => {
    const { reconcile, sent, clock, vendor } = await reconciling(t)
    const start = await sent('start')
    const stop = await sent('stop')
    vendor.beforeStop = async () => {
      // Behind the vendor's back it has answered already: then the start arrives, and another look settles it.
      vendor.started = runOf('late')
      t.ok(await reconcile(start))
    }
    t.notOk(await reconcile(stop), 'it may have stopped nothing')
    vendor.beforeStop = async () => {}
    clock.advance(5_000)
    t.ok(await reconcile(stop))
    t.strictSame(
      vendor.asked.filter(what => what.startsWith('stop')),
      ['stop m1', 'stop m1']
    )
  }
)

t.test('a stop whose answer comes after a late start was settled ends that run as well', async t => {
  const { reconcile, ends, sent, vendor, ...rest } = await reconciling(t)
  const start = await sent('start')
  const run = runOf('late')
  const stopped: boolean[] = []
  let isLive = false
  const provider: Partial<Provider> = {
    async stop() {
      stopped.push(isLive)
      isLive = false
      if (stopped.length === 1) {
        // It has stopped nothing, and calls that a success; then the start arrives, and another look settles it.
        isLive = true
        vendor.started = run
        t.ok(await reconcile(start))
      }
      return { stopped: true, dateMs: null }
    }
  }
  const { clock, livestreams, pace, fruitlessStops } = rest
  const upstreams = new Map([
    ['default', { on: () => provider as Provider, vendorNowMs: () => null, status: () => ({ budget: {} }) }]
  ]) as unknown as Upstreams
  const seeing = {
    ...{ upstreams, livestreams, clock, pace, settleMs: 30_000 },
    changed() {},
    outdated() {},
    whatRuns: async () => ({
      livestream: isLive ? run : null,
      isNobodys: false,
      isEnding: false,
      isUnclear: false,
      isWeak: false
    }),
    rights: new StopRights({ upstreams, fruitlessStops, clock }),
    ownStarts: new OwnStarts(clock, 30_000),
    endingRuns: endingRunsOf(clock)
  }
  const trail = { done: async () => {}, failed: async (error: unknown) => error }
  const stopLivestream = stop({
    ...rest,
    ...seeing,
    reconcile,
    reconcileLoop: { openStartAt: () => null },
    ends,
    send: sendStop(seeing),
    recheckPermission: async () => {},
    auditTrail: { begin: async () => trail } as unknown as AuditTrail,
    ledger: ledgerIn(rest.store, clock),
    queue: new MeetingQueue(clock),
    among: { stop: async () => ({ waited: false, bound() {}, [Symbol.dispose]() {} }) },
    limitTime: deadlines(60_000, new AbortController().signal).limitTime
  })
  const caller = { tenant: { id: 'acme' }, idempotency: null } as Caller
  await stopLivestream(caller, { id: 'm1', tenantId: 'acme', upstream: 'default' })
  t.strictSame(stopped, [false, true])
})

t.test('a stop that waits for a start is sent as soon as that start is settled', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const clock = manualClock()
  const tries: string[] = []
  let isSettled = false
  const log = { warn() {}, info() {} }
  const open = new ReconcileLoop({
    reconcile: async ({ id }) => {
      tries.push(id)
      return isSettled
    },
    mustWait: () => false,
    log,
    clock,
    settleMs: 30_000
  })
  t.teardown(() => open.close())
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    mock.timers.tick(ms)
    await turn()
  }
  open.add(sentOperation('start', clock, { id: 'start' }))
  await pass(100)
  open.add(sentOperation('stop', clock, { id: 'stop' }))
  open.add(sentOperation('stop', clock, { id: 'elsewhere', meetingId: 'm2' }))
  await pass(400)
  await pass(100)
  t.strictSame(tries.splice(0), ['start', 'stop', 'elsewhere'])
  isSettled = true
  await pass(900)
  t.strictSame(tries, ['start', 'stop'])
  await pass(100)
  t.strictSame(tries, ['start', 'stop', 'elsewhere'], 'and is not sent twice')
  t.equal(open.size, 0)
})

t.test('a stop that cannot ask the store for an open start remembers it: what that begins late is ended', async t => {
  const { asAcme, meeting, simulator, store, storeFile } = await gateway(t, {
    simulator: { stopWithNothingLive: '200' }
  })
  simulator.failNext({ match: { method: 'POST' }, hangUp: true })
  const start = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.match(start.json().error, { outcome: 'unknown' })
  const database = new Database(storeFile)
  database.exec('ALTER TABLE operations RENAME TO away')
  const stop = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  database.exec('ALTER TABLE away RENAME TO operations')
  database.close()
  t.match(stop.json().error, { type: 'start_unsettled', outcome: 'unknown' })
  // The vendor executes the start only now.
  const { id } = simulator.startFromBrowser(meeting)
  const rows = store.sql.selectFrom('operations').select(['kind', 'state']).orderBy('kind').compile()
  await until(async () => (await store.engine.read(rows)).every(({ state }) => state === 'done'), 20_000)
  t.match(simulator.livestreams(), [{ id, status: 'IDLE' }])
})

t.test('a stop that was confirmed in the second in which a late start began ends that run as well', async t => {
  let atMs: number | null = null
  const { asAcme, meeting, simulator } = await gateway(t, {
    simulator: {
      stopWithNothingLive: '200',
      activeDuringInvoked: '404',
      liveAfterMs: 60_000,
      now: () => atMs ?? Date.now()
    }
  })
  simulator.failNext({ match: { method: 'POST' }, hangUp: true })
  const start = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.match(start.json().error, { outcome: 'unknown' })
  // All that the vendor does from now on is done in one second.
  atMs = Math.floor(Date.now() / 1_000) * 1_000 + 999
  simulator.failNext({ match: { method: 'POST' }, afterWork: true, delayMs: 300 })
  const stopping = asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  await until(() => simulator.journal.at(-1)?.method === 'POST' && simulator.journal.at(-1)?.executed === true)
  // It has stopped nothing, and calls that a success; then the vendor executes the start.
  const { id } = simulator.startFromBrowser(meeting)
  t.equal((await stopping).statusCode, 200)
  t.match(simulator.livestreams(), [{ id, status: 'IDLE' }])
})
