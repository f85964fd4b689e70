import t from 'tap'
import { RunHub } from '../../../src/lifecycle/ledger/hub.ts'
import { EventFeed, type Reader } from '../../../src/lifecycle/push/event-feed.ts'
import type { Store } from '../../../src/store/store.ts'
import { runEventsIn } from '../../../src/store/tables/runs/run-events.ts'
import { commitEvents, runOf } from '../../support/push/events.ts'
import fc, { runs } from '../../support/runner/properties.ts'
import { storeWithTenants } from '../../support/store/helper.ts'
import { until } from '../../support/until.ts'

/** A feed over a store of its own. It looks by itself only when the hub tells it to, unless `pollMs` is given. */
async function feedOver(store: Store, options: { pollMs?: number; keep?: number } = {}) {
  const logged: string[] = []
  const log = { error: (_: object, message: string) => void logged.push(message) }
  const hub = new RunHub(log)
  const rows = runEventsIn(store)
  const queries = { count: 0, fail: false }
  const counted = {
    ...rows,
    after(...how: Parameters<typeof rows.after>) {
      queries.count += 1
      return queries.fail ? Promise.reject(new Error('the disk is gone')) : rows.after(...how)
    }
  }
  const feed = new EventFeed({ hub, events: counted, log, pollMs: 3_600_000, ...options }).start()
  /** As the ledger does after a commit. */
  const tell = (): void => hub.committed([{ run: runOf(), events: [{} as never] }])
  return { feed, hub, tell, queries, logged }
}

interface Collected extends Reader {
  seqs: number[]
  isBusy: boolean
  taken(): void
}

function reader(tenantId = 'acme', meetingIds: string[] | null = null): Collected {
  let ready = (): void => {}
  const collected: Collected = {
    tenantId,
    meetingIds: meetingIds && new Set(meetingIds),
    seqs: [],
    isBusy: false,
    isReady: () => !collected.isBusy,
    whenReady: callback => {
      ready = callback
    },
    take: events => void collected.seqs.push(...events.map(({ seq }) => seq)),
    taken: () => ready()
  }
  return collected
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

t.test('one query serves all readers of all tenants, and each gets what is its own', async t => {
  const { store } = await storeWithTenants(t)
  await commitEvents(store, 3)
  const { feed, tell, queries } = await feedOver(store)
  t.teardown(() => feed.close())
  const { seq } = await feed.positionAfter(null)
  t.equal(seq, 3, 'from now on')
  const many = Array.from({ length: 1_000 }, () => reader())
  const [others, some] = [reader('globex'), reader('acme', ['m2', 'm3'])]
  for (const one of [...many, others, some]) feed.join(one, seq)
  await commitEvents(store, 2)
  await commitEvents(store, 1, { tenantId: 'globex' })
  await commitEvents(store, 1, { meetingId: 'm2' })
  await commitEvents(store, 1, { meetingId: null })
  tell()
  await until(() => some.seqs.length > 0)
  for (const one of many) t.strictSame(one.seqs, [4, 5, 7, 8])
  t.strictSame(others.seqs, [6])
  t.strictSame(some.seqs, [7])
  t.equal(queries.count, 1)
})

t.test('those who come back share the queries for what they have missed, wherever each of them stands', async t => {
  const { store } = await storeWithTenants(t)
  await commitEvents(store, 250)
  const { feed, queries } = await feedOver(store, { keep: 5 })
  t.teardown(() => feed.close())
  const many = range(0, 199).map(seq => ({ seq, one: reader() }))
  for (const { seq } of many) t.strictSame(await feed.positionAfter(seq), { seq, isComplete: true })
  for (const { seq, one } of many) feed.join(one, seq)
  await until(() => many.every(({ seq, one }) => one.seqs.length === 250 - seq))
  for (const { seq, one } of many) t.strictSame(one.seqs, range(seq + 1, 250))
  t.ok(queries.count < 10, `${queries.count} queries`)
})

t.test('one who was away for a moment is told from memory', async t => {
  const { store } = await storeWithTenants(t)
  const { feed, tell, queries } = await feedOver(store)
  t.teardown(() => feed.close())
  const [stays, leaves, back] = [reader(), reader(), reader()]
  feed.join(stays, 0)
  const joined = feed.join(leaves, 0)
  await commitEvents(store, 2)
  tell()
  await until(() => leaves.seqs.length === 2)
  joined.leave()
  joined.leave()
  await commitEvents(store, 2)
  tell()
  await until(() => stays.seqs.length === 4)
  t.equal(queries.count, 2)
  const { seq } = await feed.positionAfter(2)
  t.equal(feed.join(back, seq).toldUpTo(), 4)
  t.strictSame(
    [leaves.seqs, back.seqs],
    [
      [1, 2],
      [3, 4]
    ]
  )
  t.equal(queries.count, 2)
})

t.test('those who come back after a start of the gateway are told from memory', async t => {
  const { store } = await storeWithTenants(t)
  await commitEvents(store, 50)
  const { feed, queries } = await feedOver(store)
  t.teardown(() => feed.close())
  const many = range(0, 49).map(seq => ({ seq, one: reader() }))
  const positions = await Promise.all(many.map(({ seq }) => feed.positionAfter(seq)))
  for (const [i, { seq, one }] of many.entries()) {
    t.strictSame(positions[i], { seq, isComplete: true })
    feed.join(one, seq)
    t.strictSame(one.seqs, range(seq + 1, 50))
  }
  t.equal(queries.count, 0)
})

t.test('nobody reads: nothing is asked', async t => {
  const { store } = await storeWithTenants(t)
  const { feed, hub, tell, queries } = await feedOver(store, { pollMs: 1 })
  t.teardown(() => feed.close())
  const joined = feed.join(reader(), 0)
  await until(() => queries.count > 1)
  joined.leave()
  const { count } = queries
  tell()
  await new Promise(resolve => setTimeout(resolve, 20))
  t.ok(queries.count <= count + 1, 'but for the one under way')
  hub.committed([{ run: runOf(), events: [] }])
})

t.test('events of another process are found without a word of the hub', async t => {
  const { store } = await storeWithTenants(t)
  const { feed } = await feedOver(store, { pollMs: 5 })
  t.teardown(() => feed.close())
  const one = reader()
  feed.join(one, (await feed.positionAfter(null)).seq)
  await commitEvents(store, 1)
  await until(() => one.seqs.length === 1)
  t.strictSame(one.seqs, [1])
})

t.test('a reader that takes nothing is given no more of the past, and holds up no other', async t => {
  const { store } = await storeWithTenants(t)
  await commitEvents(store, 350)
  const { feed } = await feedOver(store, { pollMs: 5, keep: 5 })
  t.teardown(() => feed.close())
  await feed.positionAfter(null)
  const [slow, fast] = [reader(), reader()]
  slow.take = events => {
    slow.seqs.push(...events.map(({ seq }) => seq))
    slow.isBusy = true
  }
  const joined = feed.join(slow, 0)
  feed.join(fast, 0)
  await until(() => fast.seqs.length === 350)
  t.equal(slow.seqs.length, 100)
  t.equal(joined.toldUpTo(), null, 'its past is not told yet')
  while (slow.seqs.length < 350) {
    const { length } = slow.seqs
    slow.isBusy = false
    slow.taken()
    await until(() => slow.seqs.length > length)
  }
  t.strictSame(slow.seqs, range(1, 350))
  t.equal(joined.toldUpTo(), 350)
})

t.test('a store that fails loses nothing: what was not read is read later', async t => {
  const { store } = await storeWithTenants(t)
  await commitEvents(store, 2)
  const { feed, queries, logged } = await feedOver(store, { pollMs: 5, keep: 1 })
  t.teardown(() => feed.close())
  const { seq } = await feed.positionAfter(null)
  queries.fail = true
  const [now, late] = [reader(), reader()]
  feed.join(now, seq)
  feed.join(late, 0)
  await commitEvents(store, 1)
  await until(() => new Set(logged).size === 2)
  t.strictSame([...new Set(logged)].sort(), [
    'events of runs from before cannot be read',
    'the events of runs cannot be read'
  ])
  queries.fail = false
  await until(() => now.seqs.length === 1 && late.seqs.length === 3)
  t.strictSame([now.seqs, late.seqs], [[3], [1, 2, 3]])
})

t.test('an id that was never given, or whose successors are gone, is said to be incomplete', async t => {
  const { store } = await storeWithTenants(t)
  const { feed } = await feedOver(store)
  t.teardown(() => feed.close())
  t.strictSame(await feed.positionAfter(0), { seq: 0, isComplete: true }, 'the first one of all')
  t.strictSame(await feed.positionAfter(1), { seq: 0, isComplete: false }, 'of a store that is put back')
  await commitEvents(store, 4)
  t.strictSame(await feed.positionAfter(4), { seq: 4, isComplete: true })
  await store.engine.write([store.sql.deleteFrom('run_events').where('seq', '<', 3).compile()])
  t.strictSame(await feed.positionAfter(1), { seq: 1, isComplete: false })
  t.strictSame(await feed.positionAfter(2), { seq: 2, isComplete: true })
  await store.engine.write([store.sql.deleteFrom('run_events').compile()])
  t.strictSame(await feed.positionAfter(3), { seq: 3, isComplete: false })
  t.strictSame(await feed.positionAfter(4), { seq: 4, isComplete: true })
})

const step = fc.oneof(
  fc.record({ do: fc.constant('commit' as const), count: fc.integer({ min: 1, max: 7 }), isOthers: fc.boolean() }),
  fc.record({ do: fc.constant('tell' as const) }),
  fc.record({ do: fc.constant('join' as const), back: fc.nat(60) }),
  fc.record({ do: fc.constant('leave' as const) }),
  fc.record({ do: fc.constant('turn' as const) })
)

t.test('a reader that comes, leaves and comes back gets each event of its tenant once and in order', async t => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
      const ends: (() => unknown)[] = []
      const scene = { ok: () => {}, teardown: (fn: () => unknown) => void ends.push(fn), testdir: () => t.testdir() }
      const { store } = await storeWithTenants(scene)
      const { feed, tell } = await feedOver(store, { keep: 5 })
      const open: { one: Collected; from: number; leave(): void }[] = []
      let last = 0
      const own: number[] = []
      const sure = (condition: boolean): void => {
        if (!condition) throw new Error('lost, doubled or out of order')
      }
      for (const now of steps) {
        if (now.do === 'commit') {
          await commitEvents(store, now.count, now.isOthers ? { tenantId: 'globex' } : {})
          if (!now.isOthers) own.push(...range(last + 1, last + now.count))
          last += now.count
        } else if (now.do === 'tell') tell()
        else if (now.do === 'turn') await new Promise(resolve => setImmediate(resolve))
        else if (now.do === 'leave') open.shift()?.leave()
        else {
          const { seq, isComplete } = await feed.positionAfter(Math.max(0, last - now.back))
          sure(isComplete)
          const one = reader()
          open.push({ one, from: seq, leave: feed.join(one, seq).leave })
        }
      }
      tell()
      const wanted = (from: number) => own.filter(seq => seq > from)
      await until(() => open.every(({ one, from }) => one.seqs.length >= wanted(from).length), 5_000)
      for (const { one, from } of open) sure(String(one.seqs) === String(wanted(from)))
      await feed.close()
      for (const end of ends.reverse()) await end()
    }),
    { numRuns: runs(400) }
  )
  t.pass('random histories')
})

t.test('nobody is given more of the past at once than a page, also from memory', async t => {
  const { store } = await storeWithTenants(t)
  await commitEvents(store, 450)
  const { feed, tell, queries } = await feedOver(store)
  t.teardown(() => feed.close())
  const { seq } = await feed.positionAfter(0)
  const slow = reader()
  const { take } = slow
  slow.take = events => {
    take(events)
    slow.isBusy = true
  }
  const joined = feed.join(slow, seq)
  for (const upTo of [100, 200, 300]) {
    t.strictSame(slow.seqs, range(1, upTo))
    t.equal(joined.toldUpTo(), null)
    slow.isBusy = false
    slow.taken()
    await until(() => slow.seqs.length > upTo)
  }
  await commitEvents(store, 1)
  tell()
  // The last page makes it one of those who are told at once.
  await until(() => slow.seqs.length === 451)
  t.strictSame(slow.seqs, range(1, 451))
  t.equal(queries.count, 1)
})
