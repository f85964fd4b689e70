import t, { type Test } from 'tap'
import type { FindOrdered, FoundOrdered } from '../../../src/lifecycle/orders/find-ordered.ts'
import type { RecordStop } from '../../../src/lifecycle/orders/record-stop.ts'
import { orderTimes, StopOrderLoop } from '../../../src/lifecycle/orders/stop-order-loop.ts'
import type { Store } from '../../../src/store/store.ts'
import { type NewStopOrder, stopOrdersIn } from '../../../src/store/tables/runs/stop-orders.ts'
import type { Upstreams } from '../../../src/upstream/provider.ts'
import { manualClock } from '../../support/clock.ts'
import { carriedOut, giveOrder } from '../../support/orders/live-shows.ts'
import { storeWithTenants } from '../../support/store/helper.ts'
import { until } from '../../support/until.ts'

const nothing: FoundOrdered = { runs: [], unowned: [] }
const run = { upstream: 'default', tenantId: 'acme', meetingId: 'm1', livestreamId: 'l1', runId: null }
/** Pauses that no test waits for. */
const times = { ...orderTimes, whileOpenMs: 1, retryAfterMs: 5, firstPauseMs: 0, longestPauseMs: 0 }

interface LoopOptions {
  known?: FindOrdered['known']
  shown?: FindOrdered['shown']
  record?: RecordStop
  giveUpMs?: number
  /** The tenants to which the accounts are dedicated. */
  upstreams?: Record<string, string | null>
}

/** A loop on a store, with as much of its surroundings as a test needs. */
async function loopOn(t: Test, { upstreams = { default: null }, ...options }: LoopOptions, given?: Store) {
  const store = given ?? (await storeWithTenants(t)).store
  const orders = stopOrdersIn(store)
  const clock = manualClock()
  const errors: string[] = []
  const asked: string[] = []
  let tell = (): void => {}
  const accounts = Object.entries(upstreams).map(([name, dedicatedTo]) => [name, { dedicatedTo }])
  const loop = new StopOrderLoop({
    engine: store.engine,
    orders,
    upstreams: new Map(accounts as [string, never][]) as Upstreams,
    find: {
      known: options.known ?? (async () => nothing),
      async shown(order, upstream) {
        asked.push(upstream)
        return options.shown?.(order, upstream) ?? nothing
      }
    },
    record:
      options.record ??
      (async (_order, stop) => void (await store.engine.write([orders.closed(stop, 'stopped', 'by this test')]))),
    refresh: async () => {},
    onWorkLeft(listener) {
      tell = listener
      return () => {}
    },
    log: { info() {}, error: (_facts, message) => errors.push(message) },
    clock,
    times: { ...times, giveUpMs: options.giveUpMs ?? times.giveUpMs }
  })
  t.teardown(() => loop.close())
  await loop.start()
  const give = async (how: Partial<NewStopOrder> = {}): Promise<string> => {
    const id = await giveOrder(store, how)
    tell()
    return id
  }
  return {
    store,
    orders,
    clock,
    errors,
    asked,
    give,
    tell: () => tell(),
    carriedOut: (id: string) => carriedOut(store, id)
  }
}

t.test('an order that another process has is left to it until its lease is over', async t => {
  const { store, orders, clock, give, asked, carriedOut } = await loopOn(t, {})
  const order = { id: 'ours', reason: 'operator', tenantId: null, operator: 'ada', requestId: 'r' } as const
  const taken = orders.take('ours', 'another', clock.now(), 1_000)
  await store.engine.write([...orders.give({ ...order, createdAtMs: clock.now() }, null), taken])
  await carriedOut(await give())
  t.equal((await orders.find('ours'))?.endedAtMs, null)
  t.strictSame(asked, ['default'], 'for the other order alone')
  clock.advance(1_001)
  await carriedOut('ours')
  t.strictSame(asked, ['default', 'default'])
})

t.test('a gateway that starts takes the orders of the one before, however long their leases are', async t => {
  const { store } = await storeWithTenants(t)
  const id = await giveOrder(store)
  await store.engine.write([stopOrdersIn(store).take(id, 'killed', Date.now(), 1_000_000)])
  const { asked, carriedOut } = await loopOn(t, {}, store)
  t.match((await carriedOut(id)).stops, [])
  t.strictSame(asked, ['default'])
})

t.test('a vendor account that can not be asked is asked again, and given up in the end', async t => {
  let tries = 0
  const shown = async (): Promise<FoundOrdered> => {
    tries += 1
    throw new Error(`it is down (${Math.min(tries, 2)})`)
  }
  const { clock, give, carriedOut, orders } = await loopOn(t, { shown, giveUpMs: 60_000 })
  const id = await give()
  await until(async () => tries > 3 && (await orders.find(id))?.unasked.length === 1)
  t.equal((await orders.find(id))?.endedAtMs, null)
  clock.advance(60_001)
  const { order } = await carriedOut(id)
  t.strictSame(order?.unasked, [{ upstream: 'default', reason: 'it is down (2)' }])
})

t.test('trouble with the store ends no order: it is carried on as soon as it can be', async t => {
  let isBroken = true
  const broken = async (): Promise<never> => {
    throw new Error('no space is left')
  }
  const { give, errors, carriedOut, orders, store } = await loopOn(t, {
    known: async () => (isBroken && errors.length === 0 ? broken() : { ...nothing, runs: [run] }),
    async record(_order, stop) {
      if (isBroken) await broken()
      await store.engine.write([orders.closed(stop, 'stopped', 'by this test')])
    }
  })
  const id = await give()
  await until(() => errors.length > 1)
  isBroken = false
  t.match((await carriedOut(id)).stops, [{ meetingId: 'm1', state: 'stopped', reason: 'by this test' }])
  t.match(errors, ['an order to stop could not be carried on', 'a stop of an order could not be recorded'])
})

t.test('an order that can not be read is read a moment later', async t => {
  const { store, give, tell, errors, carriedOut, orders } = await loopOn(t, {})
  const rename = (from: string, to: string) => ({
    sql: `alter table ${from} rename to ${to}`,
    parameters: [],
    query: {} as never,
    queryId: {} as never
  })
  await store.engine.write([rename('stop_orders', 'hidden')])
  tell()
  await until(() => errors.length > 0)
  t.strictSame(errors, ['orders to stop could not be read'], 'said once')
  await store.engine.write([rename('hidden', 'stop_orders')])
  await carriedOut(await give())
  t.strictSame(await orders.open(), [])
})

t.test("a tenant's order asks no account that is another tenant's alone", async t => {
  const upstreams = { shared: null, own: 'acme', theirs: 'globex' }
  const { give, asked, carriedOut } = await loopOn(t, { upstreams })
  await carriedOut(await give({ tenantId: 'acme' }))
  t.strictSame(asked, ['shared', 'own'])
  await carriedOut(await give())
  t.strictSame(asked.slice(2), ['shared', 'own', 'theirs'])
})

t.test('after a suspension it looks until nothing new is shown', async t => {
  let looks = 0
  const shown = async (): Promise<FoundOrdered> => {
    looks += 1
    // The second look shows a start that had passed its last check.
    return { ...nothing, runs: looks === 1 ? [run] : [run, { ...run, meetingId: 'm2', livestreamId: 'l2' }] }
  }
  const { give, carriedOut } = await loopOn(t, { shown })
  const { stops } = await carriedOut(await give({ tenantId: 'acme', reason: 'suspended' }))
  t.match(stops, [{ meetingId: 'm1' }, { meetingId: 'm2' }])
  t.equal(looks, 3)
})
