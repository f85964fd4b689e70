import t from 'tap'
import type { LogFault } from '../../../src/audit/proof/log-fault.ts'
import type { Signer } from '../../../src/audit/proof/note.ts'
import type { Evidence } from '../../../src/audit/proof/signed-claims.ts'
import { writeKeyChange } from '../../../src/audit/proof/statements.ts'
import type { ChainedEvent, StoredNote } from '../../../src/domain/audit/audit-chain.ts'
import {
  chainOf,
  checkpointOf,
  checkpointsOf,
  cutOf,
  evidenceOf,
  inOrder,
  logName,
  newSigner,
  rotation,
  timeOf,
  verify,
  writtenLog
} from '../../support/audit/helper.ts'

/**
 * Somebody who may write what he likes into the store, and has a key of his own, but neither the log's key nor the copies that are
 * kept in another place: the public key, and the checkpoint of event 500.
 */
const evil = newSigner()
const log = writtenLog(1_500)
const [owner] = log.signers as [Signer]
const copy = log.notes.find(({ seq }) => seq === 500)?.note ?? ''
const at = (seq: number): ChainedEvent => log.chain[seq - 1] as ChainedEvent
/** Event 601 and all after it are other ones, in a chain of their own. */
const forgedTail = chainOf(900, ['evil'], at(600))
const rewritten = [...log.chain.slice(0, 600), ...forgedTail]

type Attack = Partial<Omit<Evidence, 'outside'>> & {
  events?: ChainedEvent[]
  /** The checkpoint in the data folder, which he may write too. */
  beside?: string
}

function found(
  { events = log.chain, beside, ...stored }: Attack,
  { copies = [copy], of = log } = {}
): LogFault | object {
  const outside = [...copies, ...(beside === undefined ? [] : [beside])]
  return verify({ ...evidenceOf(of), ...stored, outside, trustedKey: of.signers[0]?.publicKey ?? '' }, events)
}

const without = (isGone: (note: StoredNote) => boolean, notes = log.notes) => notes.filter(note => !isGone(note))
const after = (place: number) => (note: StoredNote) => note.seq > place
const signedByEvil = (chain: ChainedEvent[]) => checkpointsOf(chain, evil, 100)

/** A change of the signing key that never was. */
function fakeChange(seq: number, before: Signer, next: Signer, signer = evil): StoredNote {
  const timeMs = timeOf({ seq })
  return {
    kind: 'key',
    seq,
    timeMs,
    note: signer.sign(writeKeyChange(logName, before.publicKey, next.publicKey, timeMs))
  }
}

t.test('without an attack, what is kept elsewhere proves the log', async t => {
  t.match(found({}), { lastSeq: 1_500, signedSeq: 1_500 })
})

t.test('a log that was written again is found, whatever becomes of its checkpoints', async t => {
  const attack = (notes: StoredNote[], more: Attack = {}) => found({ events: rewritten, notes, ...more })
  const kept = without(after(600))
  t.match(attack(log.notes), { seq: 700, why: /^is not what the checkpoint of \S+ vouches for$/ })
  t.match(attack(kept), { seq: 601, why: 'no checkpoint vouches for it, nor for the 899 after it' })
  t.match(attack([]), { seq: 501, why: /^no checkpoint vouches for it/ }, 'all removed: the copy vouches for 500')
  t.match(attack([...kept, ...signedByEvil(forgedTail)]), {
    seq: 700,
    why: "the checkpoint here is not signed by this log's key"
  })
  const moved = kept.map(note => (note.seq === 600 ? { ...note, seq: 1_500 } : note))
  t.match(attack(moved), { seq: 1_500, why: "the checkpoint here is not signed by this log's key" })
  const later = kept.map(note => (note.seq === 600 ? { ...note, timeMs: timeOf({ seq: 1_500 }) } : note))
  t.match(attack(later), { seq: 600, why: "the checkpoint here is not signed by this log's key" })
  const last = signedByEvil(rewritten).at(-1)?.note ?? ''
  t.match(attack(kept, { beside: last }), {
    seq: null,
    why: "a checkpoint from outside is not signed by this log's key"
  })
  t.match(attack(signedByEvil(rewritten), { publicKey: evil.publicKey }), {
    seq: null,
    why: 'the log is signed by another key than the trusted one'
  })
  const early = [...log.chain.slice(0, 400), ...chainOf(1_100, ['evil'], at(400))]
  t.match(attack(without(after(400)), { events: early }), { seq: 500, why: /the checkpoint from outside of/ })
})

t.test('a key of his own does not get in by a change that the log has not made', async t => {
  const notTheKeyBefore = 'the change of the signing key is not signed by the key before'
  const hisNotes = signedByEvil(rewritten)
  const toHim = fakeChange(601, owner, evil)
  const notes = [...without(after(600)), toHim, ...hisNotes.filter(after(600))]
  t.match(found({ events: rewritten, notes, publicKey: evil.publicKey }), { seq: 601, why: notTheKeyBefore })

  // He says that his key signed first, and that the log's key took over: that much he can sign.
  const beside = hisNotes.at(-1)?.note ?? ''
  for (const seq of [-1, 0, 1, 601, 1_501, 1_000_000]) {
    const before = hisNotes.filter(note => note.seq < seq)
    const kept = without(({ seq: place }) => place < seq || place > 600)
    const fake = inOrder([...before, fakeChange(seq, evil, owner), ...kept])
    for (const withBeside of [{}, { beside }]) {
      t.match(found({ events: rewritten, notes: fake, ...withBeside }), { why: String }, `at ${seq}`)
    }
  }
  const { event, note } = rotation(rewritten.at(-1) as ChainedEvent, evil, owner)
  const carried = { events: [...rewritten, event], notes: [...hisNotes, note], beside }
  t.match(found(carried), { seq: null, why: "a checkpoint from outside is not signed by this log's key" })
  t.match(found(carried, { copies: [] }), { seq: 1, why: /^no checkpoint vouches for it/ }, 'not even without a copy')
  const unused = fakeChange(0, evil, owner)
  t.match(found({ notes: [unused, ...log.notes] }), { seq: 0, why: notTheKeyBefore })
})

t.test('a change of key that the log has made cannot be moved, left out or taken back', async t => {
  const of = writtenLog(1_500, [800])
  const attack = (notes: StoredNote[], more: Attack = {}, copies: string[] = []) =>
    found(
      { events: of.chain, notes: inOrder(notes), publicKey: of.signers[1]?.publicKey ?? '', ...more },
      { of, copies }
    )
  const isChange = ({ kind }: StoredNote) => kind === 'key'
  const change = of.notes.filter(isChange)
  t.match(attack(of.notes), { lastSeq: 1_500, signedSeq: 1_500 })
  const moved = (seq: number) => [...without(isChange, of.notes), ...change.map(note => ({ ...note, seq }))]
  t.match(attack(moved(900)), { seq: 801, why: "the checkpoint here is not signed by this log's key" })
  t.match(attack(without(note => note.seq < 900, moved(900))), {
    seq: 801,
    why: 'is not the change of the signing key that is noted for it'
  })
  t.match(attack(without(isChange, of.notes)), {
    seq: null,
    why: 'the log is signed by another key than the trusted one'
  })
  const onlyNew = without(({ seq }) => seq <= 801, of.notes)
  const trustedKey = of.signers[1]?.publicKey ?? ''
  t.match(verify({ ...evidenceOf(of), notes: onlyNew, trustedKey }, of.chain), { seq: 801, why: /^is not the change/ })
  t.match(attack(of.notes, { publicKey: owner.publicKey }), {
    seq: null,
    why: /^the key that signs by what the store says/
  })
  const cutOff = { events: of.chain.slice(0, 750), notes: without(note => note.seq > 750 && !isChange(note), of.notes) }
  t.match(attack(cutOff.notes, cutOff), { seq: 751, why: 'missing: event 801 changed the signing key' })
  t.match(attack(of.notes, { publicKey: null }), { seq: null, why: /^the key that signs by what the store says/ })
})

t.test('nothing is cut but what the log has cut itself', async t => {
  const notSigned = "the cut here is not signed by this log's key"
  const gone = (upTo: number) => ({ events: log.chain.slice(upTo) })
  const withCut = (...cuts: StoredNote[]) => ({ notes: inOrder([...log.notes, ...cuts]) })
  t.match(found(gone(300)), { seq: 1, why: 'missing: the log begins with event 301, and no cut' })
  t.match(found({ ...gone(300), ...withCut(cutOf(at(300), evil)) }), { seq: 300, why: notSigned })
  const ofAnotherLog = { ...cutOf(at(300), owner), note: owner.sign(checkpointOf(at(300), owner).note) }
  t.match(found({ ...gone(300), ...withCut(ofAnotherLog) }), { seq: 300, why: notSigned })
  const asCut = { ...checkpointOf(at(300), owner), kind: 'cut' as const }
  t.match(found({ ...gone(300), ...withCut(asCut) }), { seq: 300, why: notSigned }, 'a checkpoint is no cut')

  const honest = cutOf(at(200), owner)
  t.match(found({ ...gone(200), ...withCut(honest) }), { firstSeq: 201, lastSeq: 1_500 })
  t.match(found({ ...gone(300), ...withCut(honest) }), { seq: 201, why: /^missing/ })
  t.match(found({ ...gone(300), ...withCut({ ...honest, seq: 300 }) }), { seq: 300, why: notSigned })
  const newer = withCut(honest, cutOf(at(400), owner))
  t.match(found({ ...gone(450), ...newer }), { seq: 401, why: /^missing/ })
  t.match(
    found({ ...gone(400), ...withCut(honest) }),
    { seq: 201, why: /^missing/ },
    'an old cut in the place of the last'
  )
  const other = chainOf(200, ['evil'])
  t.match(found({ events: [...other.slice(100), ...log.chain.slice(200)], ...withCut(honest) }), {
    seq: 101,
    why: /^does not follow what the checkpoint of/
  })
  // A signer that was made to sign two logs (`checkpointer.ts` refuses to): the copy speaks against the cut.
  const two = chainOf(500, ['evil'])
  const rest = chainOf(100, ['evil'], two.at(-1))
  const signed = [cutOf(two.at(-1) as ChainedEvent, owner), ...checkpointsOf(rest, owner)]
  t.match(found({ events: rest, notes: signed }), {
    seq: 501,
    why: /^does not follow what the checkpoint from outside/
  })
})

t.test('an end that is cut off is missed: some events, all of them, or the checkpoints', async t => {
  const upTo = (place: number): Attack => ({ events: log.chain.slice(0, place), notes: without(after(place)) })
  t.match(found({ ...upTo(1_450), notes: log.notes }), {
    seq: 1_451,
    why: /^missing: the checkpoint of \S+ vouches for 1500/
  })
  t.match(found(upTo(400)), {
    seq: 401,
    why: /^missing: the checkpoint from outside of \S+ vouches for 500 events, 400/
  })
  t.match(found({ ...upTo(0), publicKey: null }), { seq: 1, why: /^missing/ })
  t.match(found({ notes: [] }), { seq: 501, why: 'no checkpoint vouches for it, nor for the 999 after it' })
  t.match(found({ notes: [] }, { copies: [] }), {
    seq: 1,
    why: 'no checkpoint vouches for it, nor for any other event'
  })
})

t.test('another log in its place is none, also when the same key has signed it', async t => {
  const theirs = chainOf(1_500, ['evil'])
  const log = 'livegate.audit/ffffffffffffffff'
  const notes = (signer: Signer) => [checkpointOf(theirs.at(-1) as ChainedEvent, signer, { log })]
  t.match(found({ events: theirs, log, notes: notes(evil), publicKey: evil.publicKey }), {
    seq: null,
    why: /another key/
  })
  t.match(found({ events: theirs, log, notes: notes(owner) }), {
    seq: null,
    why: `a checkpoint from outside is of another log, ${logName}`
  })
  t.match(found({ events: theirs, notes: notes(owner) }), { seq: 1_500, why: /not signed by this log's key/ })
  t.match(found({ log }), { seq: 100, why: "the checkpoint here is not signed by this log's key" })
})
