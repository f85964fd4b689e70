import { mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { Caller } from '../../src/domain/caller.ts'
import { deadlines } from '../../src/lifecycle/deadline.ts'
import { Motion } from '../../src/lifecycle/motion.ts'
import type { Done } from '../../src/lifecycle/mutation.ts'
import { OpenOperations } from '../../src/lifecycle/open-operations.ts'
import { stop } from '../../src/lifecycle/stop.ts'
import type { Provider, Upstreams } from '../../src/upstream/provider.ts'
import { manualClock } from '../support/clock.ts'
import { operationOf, runOf, settling } from './settling.ts'

t.test(
  'a repeated stop that went out before a late start began is sent again, though that start is settled',
  async t => {
    const { settle, sent, vendor } = await settling(t)
    const start = await sent('start')
    const stop = await sent('stop')
    vendor.beforeStop = async () => {
      // Behind the vendor's back it has answered already: then the start arrives, and another look settles it.
      vendor.started = runOf('late')
      t.ok(await settle(start))
    }
    t.notOk(await settle(stop), 'it may have stopped nothing')
    vendor.beforeStop = async () => {}
    t.ok(await settle(stop))
    t.strictSame(
      vendor.asked.filter(what => what.startsWith('stop')),
      ['stop m1', 'stop m1']
    )
  }
)

t.test('a stop whose answer comes after a late start was settled ends that run as well', async t => {
  const { settle, sent, vendor, ...rest } = await settling(t)
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
        t.ok(await settle(start))
      }
      return { stopped: true, dateMs: null }
    }
  }
  const unrecorded = async <T>(_mutation: unknown, work: () => Promise<Done<T>>): Promise<T> => (await work()).value
  const stopLivestream = stop({
    ...rest,
    settle,
    upstreams: new Map([['default', { on: () => provider as Provider }]]) as unknown as Upstreams,
    changed() {},
    outdated() {},
    findActive: async () => (isLive ? run : null),
    stillAllowed: async () => {},
    recorded: Object.assign(unrecorded, { answered: async () => {}, late: () => 0, idle: async () => {} }),
    motion: new Motion(),
    bounded: deadlines(60_000, new AbortController().signal).bounded
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
  const open = new OpenOperations({
    settle: async ({ id }) => {
      tries.push(id)
      return isSettled
    },
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
  open.add(operationOf('start', clock, { id: 'start' }))
  await pass(100)
  open.add(operationOf('stop', clock, { id: 'stop' }))
  open.add(operationOf('stop', clock, { id: 'elsewhere', meetingId: 'm2' }))
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
