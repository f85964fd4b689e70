import t from 'tap'
import { type ChainedEvent, type ChainHead, chainHash, noHash } from '../../../src/domain/audit/audit-chain.ts'
import type { Store } from '../../../src/store/store.ts'
import { auditEventsIn, type WalkOptions } from '../../../src/store/tables/audit/audit-events.ts'
import fc, { anyText } from '../../support/runner/properties.ts'
import { eventOf, refusalOf, storeWithTenants } from '../../support/store/helper.ts'
import { openStore, openStoreHere } from '../../support/store.ts'

async function walked(store: Store, part: WalkOptions = {}): Promise<ChainedEvent[]> {
  const all: ChainedEvent[] = []
  for await (const events of auditEventsIn(store).walk(part)) all.push(...events)
  return all
}

/** Finds what is wrong with the chain, or null: each event has the next place and the link of the one before. */
function brokenAt(events: ChainedEvent[], before: ChainHead = { seq: 0, hash: noHash }): number | null {
  for (const event of events) {
    const linked = event.prevHash === before.hash && event.hash === chainHash(before.hash, event.event)
    if (!linked || event.seq !== before.seq + 1) return event.seq
    before = event
  }
  return null
}

t.test('the link that SQL makes is that of the domain, whatever stands in the text', async t => {
  const { store } = await storeWithTenants(t)
  const { append } = auditEventsIn(store)
  const hostile = fc.constantFrom(
    "'",
    '"',
    '\\',
    '\0',
    '\n',
    '\r\n',
    '\ud800',
    '\udfff',
    '\u2028',
    '🎥',
    "'); drop table",
    '%',
    '?'
  )
  const text = fc.array(fc.oneof(hostile, anyText({ maxLength: 8 })), { maxLength: 5 }).map(parts => parts.join(''))
  const event = fc.record({ uid: text, note: text })
  const appended: string[] = []
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 10, maxLength: 10 }), async wanted => {
      const from = appended.length
      const events = wanted.map(({ uid, note }) =>
        eventOf({ requestId: uid, resources: [{ type: 'meeting', uid }] }, { outcome: 'done', note })
      )
      appended.push(...events.map(event => JSON.stringify(event)))
      await store.engine.write(events.map(append))
      const [before] = from === 0 ? [] : await walked(store, { afterSeq: from - 1, upToSeq: from })
      const stored = await walked(store, { afterSeq: from })
      // The text is stored as it was hashed.
      return brokenAt(stored, before) === null && stored.every(({ event }, i) => event === appended[from + i])
    }),
    { numRuns: 30 }
  )
  t.equal((await walked(store)).length, appended.length)
})

t.test('several connections that write at the same time add to one chain, without a gap', async t => {
  const { store, file } = await storeWithTenants(t)
  const others = await Promise.all([openStore(file), openStore(file), openStoreHere(file, { busyTimeoutMs: 10_000 })])
  t.teardown(() => Promise.all(others.map(other => other.close())))
  const writers = [store, ...others].flatMap((one, writer) => {
    const { append } = auditEventsIn(one)
    return Array.from({ length: 25 }, async (_, i) => {
      const event = (part: string) => append(eventOf({ requestId: `${writer}-${i}-${part}` }))
      // A writer that is locked out for too long tries again, as the gateway does.
      const write = (tries: number): Promise<unknown> =>
        one.engine.write([event('a'), event('b')]).catch(error => {
          if (tries === 0) throw error
          return write(tries - 1)
        })
      await write(20)
    })
  })
  await Promise.all(writers)
  const events = await walked(store)
  t.equal(events.length, 4 * 25 * 2)
  t.equal(brokenAt(events), null)
  const pairs = events.map(({ columns }) => columns.request_id)
  t.ok(
    pairs.every((id, i) => i % 2 === 1 || pairs[i + 1] === id.replace('-a', '-b')),
    'what one transaction wrote stands together'
  )
})

t.test('a transaction that came to nothing leaves no trace in the chain', async t => {
  const { store } = await storeWithTenants(t)
  const { append } = auditEventsIn(store)
  await store.engine.write([append(eventOf({ requestId: 'first' }))])
  t.not(await refusalOf(store.engine.write([append(eventOf()), { ...append(eventOf()), changes: 2 }])), 'accepted')
  t.not(await refusalOf(store.engine.write([append(eventOf())], { withinMs: -1 })), 'accepted')
  await store.engine.write([append(eventOf({ requestId: 'second' }))])
  const events = await walked(store)
  t.strictSame(
    events.map(({ seq, columns }) => [seq, columns.request_id]),
    [
      [1, 'first'],
      [2, 'second']
    ]
  )
  t.equal(brokenAt(events), null)
})

t.test('the head is the last event, seen from within the transaction that adds one', async t => {
  const { store } = await storeWithTenants(t)
  const { append, headQuery, toHead, hashAt } = auditEventsIn(store)
  const [before, , after] = await store.engine.write([headQuery(), append(eventOf()), headQuery()])
  t.strictSame(toHead(before ?? []), { seq: 0, hash: noHash })
  const [event] = await walked(store)
  t.strictSame(toHead(after ?? []), { seq: 1, hash: event?.hash })
  t.strictSame([await hashAt(1), await hashAt(2)], [event?.hash, null])
})

t.test('a walk passes every event of its part once, in order, a thousand at a time', async t => {
  const { store } = await storeWithTenants(t)
  const { append, walk } = auditEventsIn(store)
  const tenant = (i: number) => (i % 5 === 0 ? 'globex' : 'acme')
  const append2000 = Array.from({ length: 2_000 }, (_, i) =>
    append(eventOf({ tenantId: tenant(i) }, { outcome: 'done' }, 1_000 + i))
  )
  await store.engine.write(append2000)
  const sizes = async (part: WalkOptions = {}) => {
    const found: number[] = []
    for await (const events of walk(part)) found.push(events.length)
    return found
  }
  t.strictSame(await sizes(), [1_000, 1_000], 'a last page that is full is not followed by an empty one')
  await store.engine.write([append(eventOf({ tenantId: null }, { outcome: 'done' }, 3_000))])
  t.strictSame(await sizes(), [1_000, 1_000, 1])
  t.equal(brokenAt(await walked(store)), null)

  const seqs = async (part: WalkOptions) => (await walked(store, part)).map(({ seq }) => seq)
  t.strictSame(await seqs({ afterSeq: 1_998 }), [1_999, 2_000, 2_001])
  t.strictSame(await seqs({ upToSeq: 2 }), [1, 2])
  t.strictSame(await seqs({ sinceMs: 2_999 }), [2_000, 2_001], 'since is included')
  t.strictSame(await seqs({ untilMs: 1_002 }), [1, 2], 'until is not')
  t.strictSame(await seqs({ tenantId: 'globex', sinceMs: 1_001, untilMs: 1_012 }), [6, 11])
  t.equal((await seqs({ tenantId: 'globex' })).length, 400)
  t.strictSame(await seqs({ tenantId: 'nobody' }), [])
})

t.test('events that are added during a walk are passed too, and none of them twice', async t => {
  const { store } = await storeWithTenants(t)
  const { append, walk } = auditEventsIn(store)
  await store.engine.write(Array.from({ length: 1_000 }, () => append(eventOf())))
  const seen: number[] = []
  for await (const events of walk()) {
    seen.push(...events.map(({ seq }) => seq))
    if (seen.length === 1_000) await store.engine.write([append(eventOf()), append(eventOf())])
  }
  t.strictSame(
    seen,
    Array.from({ length: 1_002 }, (_, i) => i + 1)
  )
})

t.test('the first event since a moment is the first in the log, also when times are out of order', async t => {
  const { store } = await storeWithTenants(t)
  const { append, firstSince, firstSeq } = auditEventsIn(store)
  t.strictSame([await firstSince(0), await firstSeq()], [null, null])
  const times = [1_000, 5_000, 2_000, 6_000]
  await store.engine.write(times.map(timeMs => append(eventOf({}, { outcome: 'done' }, timeMs))))
  t.equal(await firstSince(1_000), 1)
  t.equal(await firstSince(1_001), 2)
  t.equal(await firstSince(2_000), 2, 'the older one behind it is kept with it')
  t.equal(await firstSince(5_001), 4)
  t.equal(await firstSince(6_001), null)
  t.equal(await firstSeq(), 1)
})

t.test('the oldest go, so many at a time, up to a place and not beyond; the rest stays a chain', async t => {
  const { store } = await storeWithTenants(t)
  const { append, remove, firstSeq, count } = auditEventsIn(store)
  await store.engine.write(Array.from({ length: 12 }, () => append(eventOf())))
  const whole = await walked(store)
  t.equal(await remove(7, 5), 5)
  t.equal(await firstSeq(), 6)
  t.equal(await remove(7, 5), 2, 'fewer than asked: none are left')
  t.equal(await remove(7, 5), 0)
  t.strictSame(await walked(store), whole.slice(7))
  t.equal(await count(), 5)
  await store.engine.write([append(eventOf())])
  const [last] = (await walked(store)).slice(-1)
  t.match(last, { seq: 13, prevHash: whole[11]?.hash })
})
