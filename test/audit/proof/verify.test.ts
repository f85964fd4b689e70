import t from 'tap'
import type { Signer } from '../../../src/audit/proof/note.ts'
import { type ChainedEvent, chainHash } from '../../../src/domain/audit/audit-chain.ts'
import {
  chainOf,
  checkpointOf,
  cutOf,
  emptyHead,
  eventOf,
  evidenceOf,
  link,
  newSigner,
  startMs,
  verify,
  type Written,
  writtenLog
} from '../../support/audit/helper.ts'

const proofOf = (lastSeq: number, more = {}) => ({
  firstSeq: 1,
  lastSeq,
  signedSeq: lastSeq,
  beforeTheCut: 0,
  gaps: [],
  losses: [],
  ...more
})
/** The events of a log from this place on. */
const from = ({ chain }: Written, seq: number): ChainedEvent[] => chain.slice(seq - 1)
/** The place, as events and heads name it. */
const at = ({ chain }: Written, seq: number): ChainedEvent => chain[seq - 1] as ChainedEvent

t.test('an untouched log holds, whatever its length, and says how far', async t => {
  for (const count of [1, 99, 100, 101, 1_234]) {
    const log = writtenLog(count)
    t.match(verify(evidenceOf(log), log.chain), proofOf(count, { checkpoints: Math.ceil(count / 100) }))
  }
})

t.test('an empty log holds, before and after its first checkpoint', async t => {
  const log = { chain: [], notes: [], signers: [newSigner()] }
  t.strictSame(verify(evidenceOf(log), []), { ...proofOf(0), firstSeq: 0, checkpoints: 0 })
  const notes = log.signers.map(signer => checkpointOf(emptyHead, signer))
  t.strictSame(verify(evidenceOf({ ...log, notes }), []), { ...proofOf(0), firstSeq: 0, checkpoints: 1 })
  const chain = chainOf(3)
  t.match(
    verify(evidenceOf({ ...log, notes }), chain),
    proofOf(3, { signedSeq: 0 }),
    'nor does it hold its first events back'
  )
})

t.test('a log whose key was changed holds for who trusts any of its keys', async t => {
  const log = writtenLog(950, [250, 400, 730])
  for (const { publicKey } of log.signers) {
    t.match(verify(evidenceOf(log, { trustedKey: `${publicKey}\n` }), log.chain), proofOf(950))
  }
  t.match(verify(evidenceOf(log, { trustedKey: newSigner().publicKey }), log.chain), {
    seq: null,
    why: 'the log is signed by another key than the trusted one'
  })
  t.match(verify(evidenceOf(log, { trustedKey: 'garbage' }), log.chain), { why: 'the trusted key is no verifier key' })
})

t.test('a log that was cut holds, and so does one whose cut is not finished', async t => {
  const log = writtenLog(950)
  const cut = cutOf(at(log, 400), log.signers[0] as Signer)
  const evidence = evidenceOf({ ...log, notes: [...log.notes, cut] })
  for (const [firstSeq, beforeTheCut] of [
    [1, 0],
    [2, 0],
    [137, 1],
    [400, 3],
    [401, 3]
  ] as const) {
    t.match(verify(evidence, from(log, firstSeq)), proofOf(950, { firstSeq, beforeTheCut }))
  }
  t.match(verify(evidence, from(log, 402)), {
    seq: 401,
    why: 'missing: the log was cut up to 400, and begins with event 402'
  })
  t.match(verify(evidence, []), {
    seq: 401,
    why: /^missing: the checkpoint of .* vouches for 950 events, 0 are there$/
  })
  t.match(verify(evidenceOf(log), from(log, 401)), {
    seq: 1,
    why: 'missing: the log begins with event 401, and no cut'
  })
})

t.test(
  'a log that was cut before its key was changed holds for both keys once the new one has signed the cut',
  async t => {
    const log = writtenLog(950, [500])
    const [before, after] = log.signers as [Signer, Signer]
    const withCut = (signer: Signer) => {
      const kept = log.notes.filter(({ seq, kind }) => seq >= 400 || kind === 'key')
      return evidenceOf({ ...log, notes: [...kept, cutOf(at(log, 400), signer)] })
    }
    for (const { publicKey } of [before, after]) {
      const trusting = { ...withCut(after), trustedKey: publicKey }
      t.match(verify(trusting, from(log, 401)), proofOf(950, { firstSeq: 401 }))
    }
    t.match(
      verify({ ...withCut(before), trustedKey: before.publicKey }, from(log, 401)),
      proofOf(950, { firstSeq: 401 })
    )
    t.match(verify(withCut(before), from(log, 401)), { seq: 400, why: "the cut here is not signed by this log's key" })
  }
)

t.test('copies of checkpoints from outside are compared; those from before a cut are counted', async t => {
  const log = writtenLog(950, [500])
  const outside = log.notes.filter(({ kind }) => kind === 'checkpoint').map(({ note }) => note)
  t.match(verify(evidenceOf(log, { outside }), log.chain), proofOf(950, { checkpoints: 2 * outside.length }))
  const notes = [...log.notes.filter(({ seq }) => seq > 300), cutOf(at(log, 300), log.signers[1] as Signer)]
  t.match(
    verify(evidenceOf({ ...log, notes }, { outside }), from(log, 301)),
    proofOf(950, { firstSeq: 301, beforeTheCut: 2 })
  )
  const ahead = { ...log, notes: log.notes.filter(({ seq }) => seq <= 900) }
  t.match(verify(evidenceOf(ahead, { outside }), log.chain.slice(0, 920)), {
    seq: 921,
    why: /^missing: the checkpoint from outside of /
  })
  t.match(verify(evidenceOf(log, { outside: ['garbage'] }), log.chain), {
    seq: null,
    why: "a checkpoint from outside is not signed by this log's key"
  })
  const elsewhere = checkpointOf(at(log, 900), log.signers[1] as Signer, {
    log: 'livegate.audit/ff'
  })
  t.match(verify(evidenceOf(log, { outside: [elsewhere.note] }), log.chain), {
    seq: null,
    why: 'a checkpoint from outside is of another log, livegate.audit/ff'
  })
})

t.test('a tail that is not signed yet is waited for, but not for longer than checkpoints take to come', async t => {
  const signer = newSigner()
  const signed = chainOf(100)
  const timeMs = startMs + 100
  const log: Written = {
    chain: signed,
    notes: [checkpointOf(signed.at(-1) ?? emptyHead, signer, { timeMs })],
    signers: [signer]
  }
  const withTail = (timesMs: number[]) => {
    const chain = [...signed]
    for (const time of timesMs) chain.push(link(chain.at(-1) ?? emptyHead, eventOf({ timeMs: time })))
    return verify(evidenceOf(log), chain)
  }
  const proof = { signedSeq: 100 }
  t.match(withTail(Array(2_000).fill(timeMs)), { ...proof, lastSeq: 2_100 })
  t.match(withTail(Array(2_001).fill(timeMs)), {
    seq: 101,
    why: 'no checkpoint vouches for it, nor for the 2000 after it'
  })
  t.match(withTail([timeMs, timeMs + 20_000]), { ...proof, lastSeq: 102 })
  t.match(withTail([timeMs, timeMs + 20_001]), {
    seq: 101,
    why: 'no checkpoint vouches for it, nor for the 1 after it'
  })
  t.match(withTail([timeMs + 20_001, timeMs]), { seq: 101 }, 'whichever of them came late')
  t.match(withTail([timeMs - 86_400_000]), { ...proof, lastSeq: 101 }, 'what could not be written earlier')
})

t.test('a log begins with its first event, or after a cut: not with one that follows another', async t => {
  const log = writtenLog(300)
  const renumbered = from(log, 101).map((event, i) => ({ ...event, seq: i + 1 }))
  const said = verify(evidenceOf({ ...log, notes: [] }), renumbered)
  t.match(said, { seq: 1, why: 'is not the first event of a log' })
})

t.test('a stored text that is no event is named, not thrown', async t => {
  const log = writtenLog(10)
  for (const text of ['', 'null', '5', '"x"', '[]', '{}', '{"unmapped":null}', '{"time":', '{"api":{"operation":7}}']) {
    const chain = [...log.chain]
    const forged = link(at(log, 5), eventOf())
    chain[5] = {
      ...forged,
      event: text,
      hash: chainHash(forged.prevHash, text)
    }
    t.match(verify(evidenceOf({ ...log, notes: [] }), chain), {
      seq: 6,
      why: /^\w+ beside the event is not what the event says$/
    })
  }
  const blob = { ...at(log, 6), event: Buffer.from(at(log, 6).event) as unknown as string }
  t.match(verify(evidenceOf(log), log.chain.with(5, blob)), { seq: 6, why: 'changed: its hash is another' })
})
