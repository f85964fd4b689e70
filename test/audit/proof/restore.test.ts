import t from 'tap'
import type { Signer } from '../../../src/audit/proof/note.ts'
import type { Superseded } from '../../../src/audit/proof/statements.ts'
import { writeRestore } from '../../../src/audit/proof/statements.ts'
import type { ChainedEvent, StoredNote } from '../../../src/domain/audit/audit-chain.ts'
import {
  chainOf,
  checkpointOf,
  checkpointsOf,
  eventOf,
  evidenceOf,
  link,
  logName,
  newSigner,
  startMs,
  timeOf,
  verify,
  type Written
} from '../../support/audit/helper.ts'

const otherLog = 'livegate.audit/fedcba9876543210'
const signer = newSigner()

interface Restored extends Written {
  /** The events that were lost, with their checkpoints: one every 10 events. */
  lost: ChainedEvent[]
  copies: string[]
  restore: StoredNote
}

/** 50 events that are kept and 50 that are lost; then the restore, and 100 others. */
function restored({ knows = true, log = logName, by = 'alice', hash = '' } = {}): Restored {
  const kept = chainOf(50)
  const lost = chainOf(50, ['lost'], kept.at(-1))
  const copies = [...kept, ...lost].filter(({ seq }) => seq % 10 === 0).map(head => checkpointOf(head, signer).note)
  const acceptedMs = startMs + 60_000
  const newest = { head: lost.at(-1) as ChainedEvent, timeMs: timeOf({ seq: 100 }) }
  const superseded: Superseded | null = knows ? { log, ...newest, publicKey: signer.publicKey } : null
  const note = signer.sign(
    writeRestore(
      logName,
      { head: { seq: 50, hash: hash || (kept[49] as ChainedEvent).hash }, keptSeq: 50, by, superseded },
      acceptedMs
    )
  )
  const subject = {
    action: 'acceptOlderStore',
    method: 'PUT',
    tenantId: null,
    keyId: null,
    address: null,
    resources: []
  }
  const event = link(kept.at(-1) as ChainedEvent, eventOf({ subject, ending: { note }, timeMs: acceptedMs }))
  const restore: StoredNote = { kind: 'restore', seq: event.seq, timeMs: acceptedMs, note }
  const chain = [...kept, event, ...chainOf(100, undefined, event)]
  const later = (head: ChainedEvent) => checkpointOf(head, signer, { timeMs: acceptedMs + head.seq * 10 })
  const notes = [
    ...checkpointsOf(kept, signer, 10),
    restore,
    ...[60, 100, 151].map(seq => later(chain[seq - 1] as ChainedEvent))
  ]
  return { chain, notes, signers: [signer], lost, copies, restore }
}

const gapOf = (toSeq: number | null) => ({ seq: 51, by: 'alice', log: logName, fromSeq: 51, toSeq })

t.test('a log that goes on from an older state holds, and names the gap', async t => {
  const log = restored()
  const proof = { firstSeq: 1, lastSeq: 151, signedSeq: 151, gaps: [gapOf(100)] }
  t.match(verify(evidenceOf(log), log.chain), proof)
  t.match(verify(evidenceOf(log, { outside: log.copies }), log.chain), proof, 'and every checkpoint of what is lost')
})

t.test('checkpoints of what is lost widen the gap, where more of them come to light', async t => {
  const log = restored({ knows: false })
  t.match(verify(evidenceOf(log), log.chain), { gaps: [gapOf(null)] }, 'nothing is known of it')
  for (const [copies, toSeq] of [
    [log.copies.slice(0, 5), null],
    [log.copies.slice(0, 8), 80],
    [log.copies, 100]
  ] as const) {
    t.match(verify(evidenceOf(log, { outside: copies }), log.chain), { gaps: [gapOf(toSeq)] })
  }
  const longest = restored()
  const beyond = checkpointOf({ ...(longest.lost.at(-1) as ChainedEvent), seq: 500 }, signer, {
    timeMs: startMs + 59_000
  })
  t.match(verify(evidenceOf(longest, { outside: [beyond.note] }), longest.chain), {
    gaps: [gapOf(500)],
    signedSeq: 151
  })
})

t.test('a restore covers nothing but what came after it and was signed before it', async t => {
  const log = restored()
  const says = (note: StoredNote) => verify(evidenceOf(log, { outside: [note.note] }), log.chain)
  const forged = { seq: 90, hash: 'ab'.repeat(32) }
  t.match(says(checkpointOf(forged, signer, { timeMs: startMs + 61_000 })), {
    seq: 90,
    why: /^is not what the checkpoint/
  })
  t.match(says(checkpointOf({ ...forged, seq: 500 }, signer, { timeMs: startMs + 61_000 })), {
    seq: 152,
    why: /^missing/
  })
  t.match(says(checkpointOf({ ...forged, seq: 40 }, signer, { timeMs: startMs })), { seq: 40, why: /^is not what/ })
  t.match(says(checkpointOf({ ...forged, seq: 500 }, newSigner(), { timeMs: startMs })), {
    why: /not signed by this log's key/
  })
  t.match(says(checkpointOf(forged, signer, { log: otherLog, timeMs: startMs })), { why: /is of another log/ })
})

t.test('all that its key had signed until then is covered, of another log whose store was lost', async t => {
  const log = restored({ log: otherLog })
  const old = newSigner()
  const copy = (seq: number, by: Signer) =>
    checkpointOf({ seq, hash: 'cd'.repeat(32) }, by, { log: otherLog, timeMs: startMs }).note
  const gap = { seq: 51, log: otherLog, fromSeq: 1, toSeq: 100 }
  t.match(verify(evidenceOf(log, { outside: [copy(7, signer), copy(99, signer)] }), log.chain), { gaps: [gap] })
  t.match(verify(evidenceOf(log, { outside: [copy(7, old)] }), log.chain), { why: /not signed by this log's key/ })
})

t.test('a restore that nobody signed, that is noted elsewhere, or whose event is another, is found', async t => {
  const log = restored()
  const others = log.notes.filter(({ kind }) => kind !== 'restore')
  const says = (restore: StoredNote[]) => verify(evidenceOf({ ...log, notes: [...others, ...restore] }), log.chain)
  t.match(says([]), { seq: 51, why: 'is not the restore that is noted for it' })
  const self = { ...log.restore, note: newSigner().sign(`${log.restore.note.split('\n\n')[0]}\n`) }
  t.match(says([self]), { seq: 51, why: "the restore here is not signed by this log's key" })
  t.match(says([{ ...log.restore, seq: 70 }]), { seq: 70, why: "the restore here is not signed by this log's key" })
  const doubled = { ...log.restore, seq: 200, timeMs: log.restore.timeMs }
  t.match(says([log.restore, doubled]), { seq: 200, why: /not signed/ })
  const changed = log.chain.map(event => (event.seq === 51 ? link(log.chain[49] as ChainedEvent, eventOf()) : event))
  t.match(verify(evidenceOf(log), changed), { seq: 51, why: 'is not the restore that is noted for it' })
  t.match(verify(evidenceOf(log), log.chain.slice(0, 50)), { seq: 51, why: /^missing/ })
  const elsewhere = restored({ hash: 'ab'.repeat(32) })
  t.match(verify(evidenceOf(elsewhere), elsewhere.chain), { seq: 51, why: /^does not follow/ })
})
