import t from 'tap'
import type { LogFault } from '../../../src/audit/proof/log-fault.ts'
import type { Evidence } from '../../../src/audit/proof/signed-claims.ts'
import { type ChainedEvent, chainHash } from '../../../src/domain/audit/audit-chain.ts'
import {
  chainOf,
  checkpointsOf,
  eventOf,
  link,
  logName,
  newSigner,
  timeOf,
  verify
} from '../../support/audit/helper.ts'
import { Dice } from '../../support/campaigns/dice.ts'
import { countOf } from '../../support/runner/campaigns.ts'
import { printSeed } from '../../support/runner/seeds.ts'

/** Bar A3: random edits of a log of 20,000 events, a checkpoint every 1,000. All 10,000 in a campaign (`campaigns.ts`). */
const edits = countOf('edits')
const total = 20_000
const every = 1_000

const owner = newSigner()
const evil = newSigner()
const chain = chainOf(total)
const foreign = chainOf(total, ['initech', 'umbrella'])
const notes = checkpointsOf(chain, owner, every)
const evidence: Evidence = { log: logName, notes, publicKey: owner.publicKey, trustedKey: owner.publicKey }

const dice = new Dice('edits')
const random = (from: number, to: number): number => dice.between(from, to)
const anyPlace = (): number => random(1, total)
const oneOf = <T>(...choices: T[]): T => choices[random(0, choices.length - 1)] as T
const event = (seq: number, of = chain): ChainedEvent => of[seq - 1] as ChainedEvent

/** A damaged log, and which event must be named. */
interface Edit {
  events: ChainedEvent[]
  /** Everything before it is as it was. */
  firstEdited: number
  named: number | null
  evidence?: Partial<Evidence>
}

const replaced = (seq: number, ...others: ChainedEvent[]): ChainedEvent[] =>
  chain.toSpliced(seq - 1, others.length, ...others)

/** Gives every event its place and its hash again, from this one on. */
function rehashed(events: ChainedEvent[], fromSeq: number, toSeq = events.length): ChainedEvent[] {
  const done = [...events]
  for (let seq = fromSeq; seq <= toSeq; seq++) {
    const at = event(seq, done)
    const prevHash = seq === 1 ? event(1).prevHash : event(seq - 1, done).hash
    done[seq - 1] = { ...at, seq, prevHash, hash: chainHash(prevHash, at.event) }
  }
  return done
}

/** Another event there, and the whole rest of the log written again. */
function rewritten(seq: number): ChainedEvent[] {
  const another = link({ seq: seq - 1, hash: '' }, eventOf({ timeMs: timeOf({ seq }) }))
  return rehashed(replaced(seq, another), seq)
}

/** In a short run not too far from the end: what is written again has to be hashed, and read, up to there. */
const placeOfRewriting = (): number => random(edits < 10_000 ? total - 2 * every : 1, total)
const nextCheckpoint = (seq: number): number => Math.ceil(seq / every) * every

const kinds: Record<string, () => Edit> = {
  'a flipped bit in the text of an event'() {
    const seq = anyPlace()
    const bytes = Buffer.from(event(seq).event)
    const at = random(0, bytes.length - 1)
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random(0, 7)), at)
    return { events: replaced(seq, { ...event(seq), event: bytes.toString() }), firstEdited: seq, named: seq }
  },

  'another value beside an event'() {
    const seq = anyPlace()
    const { columns, hash, prevHash, ...rest } = event(seq)
    const column = oneOf('time', 'tenant_id', 'action', 'outcome', 'request_id', 'hash', 'prevHash')
    const other = (text: string): string => (text.startsWith('f') ? '0' : 'f') + text.slice(1)
    const changed: ChainedEvent = {
      ...rest,
      hash: column === 'hash' ? other(hash) : hash,
      prevHash: column === 'prevHash' ? other(prevHash) : prevHash,
      columns: {
        ...columns,
        ...(column === 'time' && { time: columns.time + oneOf(-1, 1, 86_400_000) }),
        ...(column === 'tenant_id' && { tenant_id: columns.tenant_id === null ? 'acme' : oneOf(null, 'evil') }),
        ...(column === 'action' && { action: oneOf('', 'stopLivestream') }),
        ...(column === 'outcome' && { outcome: oneOf('', 'failed') }),
        ...(column === 'request_id' && { request_id: oneOf('', 'r') })
      }
    }
    return { events: replaced(seq, changed), firstEdited: seq, named: seq }
  },

  'an event that is gone'() {
    const seq = anyPlace()
    return { events: chain.toSpliced(seq - 1, 1), firstEdited: seq, named: seq }
  },

  'two events that changed places, with or without their numbers'() {
    const [seq, later] = [random(1, total / 2), random(total / 2 + 1, total)]
    const numbered = oneOf(true, false)
    const put = (from: number, to: number) => (numbered ? event(from) : { ...event(from), seq: to })
    const events = replaced(seq, put(later, seq)).with(later - 1, put(seq, later))
    return { events, firstEdited: seq, named: seq }
  },

  'an event that is there twice'() {
    const seq = anyPlace()
    const after = random(seq, total)
    const events = chain.toSpliced(after, 0, event(seq))
    const numbered = oneOf(true, false) ? events : events.map((at, i) => ({ ...at, seq: i + 1 }))
    return { events: numbered, firstEdited: after + 1, named: after + 1 }
  },

  'one event or a run of them from another log, linked or not'() {
    const length = oneOf(1, random(2, 50))
    const seq = random(1, total - length + 1)
    const begin = random(1, total - length + 1)
    const run = foreign.slice(begin - 1, begin - 1 + length).map((at, i) => ({ ...at, seq: seq + i }))
    const inserted = oneOf(true, false)
    const events = inserted ? chain.toSpliced(seq - 1, 0, ...run) : replaced(seq, ...run)
    if (oneOf(true, false)) return { events, firstEdited: seq, named: seq }
    const end = seq + length - 1
    // Linked to what is before it, a run shows where the log goes on, or where a checkpoint stands.
    const named = nextCheckpoint(seq) <= end ? nextCheckpoint(seq) : end + 1
    return { events: rehashed(events, seq, end), firstEdited: seq, named }
  },

  'a tail that was cut off'() {
    const kept = random(0, total - 1)
    return { events: chain.slice(0, kept), firstEdited: kept + 1, named: kept + 1 }
  },

  'a head that was cut off'() {
    return { events: chain.slice(anyPlace()), firstEdited: 1, named: 1 }
  },

  'everything written again, the checkpoints as they were'() {
    const seq = placeOfRewriting()
    return { events: rewritten(seq), firstEdited: seq, named: nextCheckpoint(seq) }
  },

  'everything written again, the later checkpoints removed, but for a copy of the last'() {
    const seq = placeOfRewriting()
    const kept = notes.filter(note => note.seq < seq)
    const outside = [notes.at(-1)?.note ?? '']
    return { events: rewritten(seq), firstEdited: seq, named: total, evidence: { notes: kept, outside } }
  },

  'everything written again, the later checkpoints signed by another key'() {
    const seq = placeOfRewriting()
    const events = rewritten(seq)
    const forged = checkpointsOf(events, evil, every).filter(note => note.seq >= seq)
    const kept = notes.filter(note => note.seq < seq)
    const named = oneOf(nextCheckpoint(seq), null)
    // With another key in the store, no event is named: the log is not of the trusted key.
    const publicKey = named === null ? evil.publicKey : owner.publicKey
    return { events, firstEdited: seq, named, evidence: { notes: [...kept, ...forged], publicKey } }
  }
}

t.test('the log as it was written holds', async t => {
  t.match(verify(evidence, chain), { firstSeq: 1, lastSeq: total, signedSeq: total })
})

t.test(`each of ${edits} random edits is found, and the first bad event is named`, async t => {
  printSeed(t)
  const names = Object.keys(kinds)
  const missed: string[] = []
  const done = new Map(names.map(name => [name, 0]))
  for (let i = 0; i < edits; i++) {
    const name = names[i % names.length] ?? ''
    const { events, firstEdited, named, evidence: other } = (kinds[name] as () => Edit)()
    // From a place where nothing was changed yet, as if everything before had just been read.
    const start = Math.max(0, firstEdited - 1 - random(0, 20))
    const after = start === 0 ? null : event(start)
    const said = verify({ ...evidence, ...other }, events.slice(start), after) as LogFault
    if (said.why === undefined || said.seq !== named)
      missed.push(`${name} (${i}): not ${named} but ${JSON.stringify(said)}`)
    done.set(name, (done.get(name) ?? 0) + 1)
  }
  t.strictSame(missed, [])
  t.ok([...done.values()].every(count => count >= Math.floor(edits / names.length)))
})
