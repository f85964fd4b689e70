import t from 'tap'
import { openNote } from '../../../src/audit/proof/note.ts'
import { readStatement } from '../../../src/audit/proof/statements.ts'
import { type PruneDeps, prune } from '../../../src/audit/prune.ts'
import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { auditNotesIn } from '../../../src/store/tables/audit/audit-notes.ts'
import { prunableLog } from '../../../src/store/tables/audit/prunable-log.ts'
import { checkpointOf, eventOf, newSigner, proveStore, startMs } from '../../support/audit/helper.ts'
import { storeWithTenants } from '../../support/store/helper.ts'

const dayMs = 86_400_000
/** The event at this place happened then, unless the test says another thing. */
const timeAt = (seq: number): number => startMs + seq * 1_000
const count = 1_300
const operator = { actor: { type: 'Operator' as const, uid: 'alice' }, requestId: 'r-prune' }

/** A log of 1,300 events with a checkpoint every 100, a day after its last event. */
async function world(t: Parameters<typeof storeWithTenants>[0], { timeOf = timeAt } = {}) {
  const { store } = await storeWithTenants(t)
  const signer = newSigner()
  const events = auditEventsIn(store)
  const notes = auditNotesIn(store)
  const log = await notes.logName()
  await store.engine.write([notes.remember({ publicKey: signer.publicKey, fingerprintCheck: 'check' })])
  const nowMs = timeAt(count) + dayMs
  const sign = async (): Promise<void> => {
    const [rows] = await store.engine.write([events.headQuery()])
    await store.engine.write([notes.add(checkpointOf(events.toHead(rows ?? []), signer, { log, timeMs: nowMs }))])
  }
  const all = Array.from({ length: count }, (_, i) => eventOf({ timeMs: timeOf(i + 1) }))
  await store.engine.write(all.map(events.append))
  const signed: ReturnType<typeof notes.add>[] = []
  for await (const some of events.walk()) {
    for (const event of some.filter(({ seq }) => seq % 100 === 0)) {
      signed.push(notes.add(checkpointOf(event, signer, { log, timeMs: timeAt(event.seq) })))
    }
  }
  await store.engine.write(signed)
  const pruned = prunableLog(store, events)
  const proved: number[] = []
  const deps: PruneDeps = {
    log,
    signer,
    store: pruned,
    async prove(upToSeq) {
      proved.push(upToSeq)
      return null
    },
    sign,
    pauseMs: 0
  }
  const places = async () => {
    const rows = await store.engine.read(store.sql.selectFrom('audit_events').select('seq').orderBy('seq').compile())
    return rows.map(({ seq }) => seq)
  }
  return {
    store,
    signer,
    notes,
    deps,
    proved,
    prune: (beforeMs: number, other: Partial<PruneDeps> = {}) =>
      prune({ ...deps, ...other }, { ...operator, beforeMs, nowMs }),
    proof: () => proveStore(store, signer.publicKey),
    places,
    everything: async () => [
      await store.engine.read(store.sql.selectFrom('audit_events').selectAll().orderBy('seq').compile()),
      await notes.list()
    ]
  }
}

t.test('the log is cut at the last checkpoint that has nothing but older events before it', async t => {
  const { prune, places, proof, notes } = await world(t)
  t.strictSame(await prune(timeAt(750)), { removed: 700, cutAt: 700 })
  const left = await places()
  t.strictSame([left[0], left.at(-1), left.length], [701, count + 1, 601])
  t.strictSame(
    (await notes.list()).map(({ kind, seq }) => `${kind} ${seq}`),
    ['checkpoint 700', 'cut 700', ...[800, 900, 1_000, 1_100, 1_200, 1_300, 1_301].map(seq => `checkpoint ${seq}`)]
  )
  t.match(await proof(), { firstSeq: 701, lastSeq: count + 1, signedSeq: count + 1 })
})

t.test('an event of exactly that time stays, and so do older ones that were written after a younger one', async t => {
  const exact = await world(t)
  t.match(await exact.prune(timeAt(700)), { cutAt: 600 })
  t.match(await exact.prune(timeAt(700) + 1), { cutAt: 700, removed: 100 })
})

t.test('an event that was written before older ones holds them all', async t => {
  const late = await world(t, { timeOf: seq => (seq === 350 ? timeAt(900) : timeAt(seq)) })
  t.match(await late.prune(timeAt(750)), { cutAt: 300 })
  t.match(await late.prune(timeAt(901)), { cutAt: 900 })
})

t.test('a prune removes all events when all are old, but its own record stays and is the first event', async t => {
  const { prune, places, proof } = await world(t)
  t.match(await prune(timeAt(count) + 1), { removed: count, cutAt: count })
  t.strictSame(await places(), [count + 1])
  t.match(await proof(), { firstSeq: count + 1, lastSeq: count + 1 })
})

t.test('a cut is signed and on record, with its place, actor and time', async t => {
  const { prune, store, notes, signer } = await world(t)
  await prune(timeAt(250))
  const cut = (await notes.list()).find(({ kind }) => kind === 'cut')
  const said = readStatement(openNote(cut?.note ?? '', signer.publicKey) ?? '')
  t.match(said, { kind: 'cut', log: await notes.logName(), timeMs: timeAt(count) + dayMs, head: { seq: 200 } })
  const last = store.sql.selectFrom('audit_events').selectAll().orderBy('seq', 'desc').limit(1)
  const [row] = await store.engine.read(last.compile())
  const event = JSON.parse(row?.event ?? '') as AuditEvent
  t.match(event, {
    actor: { user: { uid: 'alice' } },
    api: { operation: 'pruneAudit' },
    metadata: { correlation_uid: 'r-prune' }
  })
  t.match(event, { time: timeAt(count) + dayMs, unmapped: { outcome: 'done', tenant_id: null, note: cut?.note } })
})

t.test('the chain holds before, after each step, and after', async t => {
  const { prune, proof, deps } = await world(t)
  const seen: unknown[] = [await proof()]
  const watched =
    <A extends unknown[], R>(step: (...args: A) => Promise<R>) =>
    async (...args: A) => {
      const result = await step(...args)
      seen.push(await proof())
      return result
    }
  const { store } = deps
  const steps = { removeEvents: watched(store.removeEvents), removeNotes: watched(store.removeNotes) }
  t.match(await prune(timeAt(1_250), { store: { ...store, ...steps }, sign: watched(deps.sign) }), { removed: 1_200 })
  t.match(seen, [
    { firstSeq: 1, lastSeq: 1_300 },
    { firstSeq: 1, signedSeq: 1_301, lastSeq: 1_301 },
    { firstSeq: 501 },
    { firstSeq: 1_001 },
    { firstSeq: 1_201, beforeTheCut: 11 },
    { firstSeq: 1_201, beforeTheCut: 0 }
  ])
})

t.test('after a crash before any of its steps the chain holds, and the next one finishes it', async t => {
  const names = [
    'lastCheckpointBefore',
    'cutAt',
    'prove',
    'recordCut',
    'sign',
    'cutAt',
    'removeEvents',
    'removeEvents',
    'removeNotes'
  ]
  for (let crash = 0; crash < names.length; crash++) {
    await t.test(`before step ${crash + 1}, ${names[crash]}`, async t => {
      const { prune, deps, proof, places, notes } = await world(t)
      const done: string[] = []
      const crashing = <T extends object>(steps: T): T =>
        new Proxy(steps, {
          get:
            (target, name: string) =>
            (...args: unknown[]) => {
              if (done.length === crash) throw new Error('killed')
              done.push(name)
              return (target as Record<string, (...args: unknown[]) => unknown>)[name]?.(...args)
            }
        })
      const { prove, sign } = deps
      const { prove: doProve, sign: doSign } = crashing({ prove, sign })
      const beforeMs = timeAt(950)
      await t.rejects(prune(beforeMs, { store: crashing(deps.store), prove: doProve, sign: doSign }), {
        message: 'killed'
      })
      t.strictSame(done, names.slice(0, crash))
      await sign() // as the next process does, before it does anything else
      t.match(await proof(), { lastSeq: Number })

      t.match(await prune(beforeMs), { cutAt: 900 })
      t.equal((await places())[0], 901)
      t.match(await proof(), { firstSeq: 901, beforeTheCut: 0 })
      t.equal((await notes.list()).filter(({ kind }) => kind === 'cut').length, 1)
      t.strictSame((await places()).slice(400), [count + 1], 'on record once')
    })
  }
})

t.test('with nothing to remove nothing is changed', async t => {
  const { prune, everything } = await world(t)
  const before = await everything()
  t.strictSame(await prune(timeAt(1)), { removed: 0, cutAt: null })
  t.strictSame(await prune(timeAt(50)), { removed: 0, cutAt: null }, 'no checkpoint is old enough')
  t.strictSame(await everything(), before)
  await prune(timeAt(250))
  const after = await everything()
  t.strictSame(await prune(timeAt(250)), { removed: 0, cutAt: 200 })
  t.strictSame(await prune(timeAt(50)), { removed: 0, cutAt: 200 })
  t.strictSame(await everything(), after)
})

t.test('nothing is removed when another key signs by now, or when what is to be removed does not hold', async t => {
  const { prune, everything, proved } = await world(t)
  const before = await everything()
  await t.rejects(prune(timeAt(250), { signer: newSigner() }), { message: 'another key signs the audit log by now' })
  t.strictSame(await everything(), before)
  const prove = async () => ({ seq: 17, why: 'changed' })
  await t.rejects(prune(timeAt(250), { prove }), { message: /^nothing was removed: .* event 17: changed$/ })
  t.strictSame(await everything(), before)
  t.strictSame(proved, [200], 'what is asked about is all that goes')
})
