import t from 'tap'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { auditNotesIn } from '../../../src/store/tables/audit/audit-notes.ts'
import { prunableLog } from '../../../src/store/tables/audit/prunable-log.ts'
import { eventOf, storeWithTenants } from '../../support/store/helper.ts'

/** A log with an event at each of these times and a checkpoint at each of these places. */
async function logOf(t: Parameters<typeof storeWithTenants>[0], times: number[], checkpoints: number[]) {
  const { store } = await storeWithTenants(t)
  const events = auditEventsIn(store)
  const notes = auditNotesIn(store)
  await store.engine.write([
    notes.remember({ publicKey: 'ours', fingerprintCheck: 'f' }),
    ...times.map(timeMs => events.append(eventOf({}, { outcome: 'done' }, timeMs))),
    ...checkpoints.map(seq => notes.add({ kind: 'checkpoint', seq, timeMs: 0, note: `up to ${seq}` }))
  ])
  const log = prunableLog(store, events)
  const rows = await store.engine.read(store.sql.selectFrom('audit_events').select('hash').orderBy('seq').compile())
  return { log, events, notes, hashAt: (seq: number) => rows[seq - 1]?.hash }
}

const cut = (seq: number) => ({ kind: 'cut' as const, seq, timeMs: 9_000, note: `cut at ${seq}` })
const pruned = eventOf({ action: 'pruneAudit', tenantId: null, requestId: 'prune' })

t.test('the log may be cut at the last checkpoint that has only older events up to it', async t => {
  const { log, hashAt } = await logOf(t, [1_000, 2_000, 3_000, 4_000, 5_000], [0, 2, 4])
  const at = (seq: number) => ({ seq, hash: hashAt(seq) })
  t.strictSame(await log.lastCheckpointBefore(4_000), at(2), 'the fourth event is not older')
  t.strictSame(await log.lastCheckpointBefore(4_001), at(4))
  t.strictSame(await log.lastCheckpointBefore(9_000), at(4), 'what no checkpoint vouches for is kept')
  t.strictSame(await log.lastCheckpointBefore(3_000), at(2))
  t.equal(await log.lastCheckpointBefore(2_000), null, 'before the first event nothing can be removed')
  t.equal(await log.lastCheckpointBefore(1_000), null)
})

t.test('an event that is younger is kept, and all that came after it, however old their times are', async t => {
  const { log, hashAt } = await logOf(t, [1_000, 8_000, 2_000, 3_000], [1, 3, 4])
  t.strictSame(await log.lastCheckpointBefore(5_000), { seq: 1, hash: hashAt(1) })
})

t.test('nothing can be cut where no event is left up to a checkpoint', async t => {
  const { log } = await logOf(t, [1_000, 2_000, 3_000], [2])
  t.equal(await log.removeEvents(2, 10), 2)
  t.equal(await log.lastCheckpointBefore(2_500), null)
  const empty = await logOf(t, [], [0])
  t.equal(await empty.log.lastCheckpointBefore(9_000), null)
})

t.test('a log without a checkpoint is not cut', async t => {
  const { log } = await logOf(t, [1_000, 2_000], [])
  t.equal(await log.lastCheckpointBefore(9_000), null)
})

t.test('a cut is on record before anything is removed', async t => {
  const { log, events, notes } = await logOf(t, [1_000, 2_000], [2])
  t.equal(await log.cutAt(), null)
  t.equal(await log.recordCut(cut(2), 'ours', pruned), true)
  t.equal(await log.cutAt(), 2)
  t.equal(await events.firstSeq(), 1, 'nothing is removed yet')
  t.equal(await events.count(), 3)
  t.match((await notes.list()).at(-1), { kind: 'cut', seq: 2, note: 'cut at 2' })
})

t.test('a process that signs with a key that another one has replaced cuts nothing', async t => {
  const { log, events } = await logOf(t, [1_000, 2_000], [2])
  t.equal(await log.recordCut(cut(2), 'of somebody else', pruned), false)
  t.equal(await log.cutAt(), null)
  t.equal(await events.count(), 2, 'and there is no event of it')
})

t.test('the event of a cut goes the way of every event, so that it counts for the next checkpoint', async t => {
  const { store } = await storeWithTenants(t)
  const events = auditEventsIn(store)
  const notes = auditNotesIn(store)
  await store.engine.write([notes.remember({ publicKey: 'ours', fingerprintCheck: 'f' })])
  const noticed: string[] = []
  const append: typeof events.append = event => {
    noticed.push(event.api.operation)
    return events.append(event)
  }
  await prunableLog(store, { append }).recordCut(cut(1), 'ours', pruned)
  t.strictSame(noticed, ['pruneAudit'])
})

t.test('checkpoints of what was removed go with it; the cut itself stays', async t => {
  const { log, notes } = await logOf(t, [1_000, 2_000, 3_000, 4_000], [1, 2, 3])
  await log.recordCut(cut(3), 'ours', pruned)
  t.equal(await log.removeEvents(3, 2), 2)
  t.equal(await log.removeEvents(3, 2), 1)
  await log.removeNotes(3)
  const left = (await notes.list()).map(({ kind, seq }) => `${kind} ${seq}`)
  t.strictSame(left.sort(), ['checkpoint 3', 'cut 3'])
  t.equal(await log.cutAt(), 3)
})
