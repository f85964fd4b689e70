import t from 'tap'
import type { NoteKind, StoredNote } from '../../../src/domain/audit/audit-chain.ts'
import { writeIf } from '../../../src/store/engine/engine.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { auditNotesIn } from '../../../src/store/tables/audit/audit-notes.ts'
import { eventOf, refusalOf, storeWithTenants } from '../../support/store/helper.ts'
import { openStoreHere } from '../../support/store.ts'

const noteOf = (kind: NoteKind, seq: number, timeMs = 1_000): StoredNote => ({
  kind,
  seq,
  timeMs,
  note: `${kind} ${seq} at ${timeMs}`
})

async function world(t: Parameters<typeof storeWithTenants>[0]) {
  const { store, file } = await storeWithTenants(t)
  const { append } = auditEventsIn(store)
  const notes = auditNotesIn(store)
  const { engine } = store
  /** Adds so many events. */
  const happen = (count: number) => engine.write(Array.from({ length: count }, () => append(eventOf())))
  const add = (...added: StoredNote[]) => engine.write(added.map(notes.add))
  const places = async () => (await notes.list()).map(({ kind, seq }) => `${kind} ${seq}`)
  return { store, file, engine, notes, append, happen, add, places }
}

t.test('the log keeps its name, and another log has another', async t => {
  const { store, notes, file } = await world(t)
  const name = await notes.logName()
  t.match(name, /^livegate\.audit\/[0-9a-f]{16}$/)
  const again = await openStoreHere(file)
  t.teardown(() => again.close())
  t.equal(await auditNotesIn(again).logName(), name)
  const other = await openStoreHere(`${file}.other`)
  t.teardown(() => other.close())
  t.not(await auditNotesIn(other).logName(), await auditNotesIn(store).logName())
})

t.test('the first keys are remembered, and nobody who comes later replaces them', async t => {
  const { engine, notes } = await world(t)
  t.strictSame(await notes.keys(), { publicKey: null, fingerprintCheck: null })
  await engine.write([notes.remember({ publicKey: 'first', fingerprintCheck: 'f1' })])
  await engine.write([notes.remember({ publicKey: 'second', fingerprintCheck: 'f2' })])
  t.strictSame(await notes.keys(), { publicKey: 'first', fingerprintCheck: 'f1' })
})

t.test('the signing key is replaced once, by who knows the one before; else nothing of it is written', async t => {
  const { store, engine, notes, append, places } = await world(t)
  await engine.write([notes.remember({ publicKey: 'first', fingerprintCheck: 'f' })])
  const rotate = (before: string, after: string) =>
    writeIf(engine, [
      notes.replacePublicKey(before, after),
      append(eventOf({ action: `to ${after}` })),
      notes.addHere({ kind: 'key', timeMs: 1, note: after })
    ])
  t.equal(await rotate('first', 'second'), true)
  t.equal(await rotate('first', 'third'), false)
  t.strictSame(await notes.keys(), { publicKey: 'second', fingerprintCheck: 'f' })
  t.strictSame(await places(), ['key 1'])
  t.equal(await auditEventsIn(store).count(), 1, 'nor is an event of what did not happen')
})

t.test('a statement under a key that no longer signs comes to nothing', async t => {
  const { engine, notes, places } = await world(t)
  const under = (key: string, note: StoredNote) => writeIf(engine, [notes.demandPublicKey(key), notes.add(note)])
  t.equal(await under('first', noteOf('checkpoint', 0)), false, 'nor before there is one')
  await engine.write([notes.remember({ publicKey: 'first', fingerprintCheck: 'f' })])
  t.equal(await under('first', noteOf('checkpoint', 1)), true)
  await engine.write([notes.replacePublicKey('first', 'second')])
  t.equal(await under('first', noteOf('checkpoint', 2)), false)
  t.equal(await under('second', noteOf('checkpoint', 3)), true)
  t.strictSame(await places(), ['checkpoint 1', 'checkpoint 3'])
})

t.test('a store that cannot be written is no lost race: who asks is told', async t => {
  const { engine, notes } = await world(t)
  const broken = { ...engine, write: () => Promise.reject(new Error('disk full')) }
  await t.rejects(writeIf(broken, [notes.add(noteOf('checkpoint', 1))]), { message: 'disk full' })
})

t.test('an idle log does not grow: a later checkpoint of the same place takes the place of the one before', async t => {
  const { add, notes } = await world(t)
  await add(noteOf('checkpoint', 7, 1_000))
  await add(noteOf('checkpoint', 7, 11_000), noteOf('cut', 7, 12_000))
  await add(noteOf('checkpoint', 7, 21_000))
  const all = await notes.list()
  t.strictSame(
    all.sort((a, b) => a.timeMs - b.timeMs),
    [noteOf('cut', 7, 12_000), noteOf('checkpoint', 7, 21_000)],
    'but not that of another kind'
  )
})

t.test('a change of the key is about the event of its transaction, and a second one there is refused', async t => {
  const { engine, notes, happen, append } = await world(t)
  await happen(3)
  const change = { kind: 'key' as const, timeMs: 5, note: 'changed' }
  await engine.write([append(eventOf()), notes.addHere(change)])
  t.strictSame(await notes.list(), [{ ...change, seq: 4 }])
  t.not(await refusalOf(engine.write([notes.addHere({ ...change, note: 'again' })])), 'accepted')
  t.strictSame(await notes.list(), [{ ...change, seq: 4 }])
})

t.test('all come in the order of the log, whenever they were added', async t => {
  const { add, places } = await world(t)
  await add(noteOf('checkpoint', 30), noteOf('checkpoint', 9), noteOf('key', 10), noteOf('cut', 2))
  t.strictSame(await places(), ['cut 2', 'checkpoint 9', 'key 10', 'checkpoint 30'])
})

t.test('the last of a kind, at a place or before it, comes with the hash that the log has there', async t => {
  const { add, notes, happen, store } = await world(t)
  t.equal(await notes.last('checkpoint'), null)
  await happen(6)
  await add(noteOf('checkpoint', 2), noteOf('checkpoint', 5), noteOf('checkpoint', 9), noteOf('key', 6))
  const rows = await store.engine.read(store.sql.selectFrom('audit_events').select(['seq', 'hash']).compile())
  const hashAt = (seq: number) => rows.find(row => row.seq === seq)?.hash ?? null
  t.ok(hashAt(5))
  t.strictSame(await notes.last('checkpoint', 8), { seq: 5, hash: hashAt(5) })
  t.strictSame(await notes.last('checkpoint', 5), { seq: 5, hash: hashAt(5) })
  t.strictSame(await notes.last('checkpoint', 4), { seq: 2, hash: hashAt(2) })
  t.equal(await notes.last('checkpoint', 1), null)
  t.strictSame(await notes.last('checkpoint'), { seq: 9, hash: null }, 'there is no such event')
  t.strictSame(await notes.last('key'), { seq: 6, hash: hashAt(6) })
})

t.test('notes about removed events go, but those about the log itself stay', async t => {
  const { add, notes, engine, places } = await world(t)
  const kinds: NoteKind[] = ['checkpoint', 'cut', 'key', 'lost-key', 'restore']
  await add(...[3, 7, 9].flatMap(seq => kinds.map(kind => noteOf(kind, seq))))
  await engine.write([notes.removeBefore(7)])
  const stay = ['key', 'lost-key', 'restore'].flatMap(kind => [`${kind} 3`, `${kind} 7`, `${kind} 9`])
  t.strictSame((await places()).sort(), ['checkpoint 7', 'checkpoint 9', 'cut 7', 'cut 9', ...stay])
  t.strictSame(await notes.ofKind('cut'), [noteOf('cut', 7), noteOf('cut', 9)])
})
