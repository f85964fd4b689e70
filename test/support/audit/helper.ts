import { generateKeyPairSync } from 'node:crypto'
import { type Ending, type Subject, toAuditEvent } from '../../../src/audit/ocsf.ts'
import type { LogFault } from '../../../src/audit/proof/log-fault.ts'
import { type Signer, signerOf } from '../../../src/audit/proof/note.ts'
import type { Evidence } from '../../../src/audit/proof/signed-claims.ts'
import { writeHead, writeKeyChange } from '../../../src/audit/proof/statements.ts'
import { LogVerifier, type Proof } from '../../../src/audit/proof/verify.ts'
import type { Occurrence } from '../../../src/audit/rollup.ts'
import {
  type ChainedEvent,
  type ChainHead,
  chainHash,
  noHash,
  type StoredNote
} from '../../../src/domain/audit/audit-chain.ts'
import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import type { Store } from '../../../src/store/store.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { auditNotesIn } from '../../../src/store/tables/audit/audit-notes.ts'

export const logName = 'livegate.audit/0123456789abcdef'
export const startMs = Date.UTC(2026, 10, 20)
/** Time of the event at this place, in the logs that are made here: ten a second. */
export const timeOf = ({ seq }: Pick<ChainHead, 'seq'>): number => startMs + seq * 100

/** A key that is made for this test. */
export function newSigner(): Signer {
  return signerOf(generateKeyPairSync('ed25519').privateKey)
}

export interface EventParts {
  subject?: Partial<Subject>
  ending?: Partial<Ending>
  timeMs?: number
}

let made = 0
/** One call, like no other: each has a request id of its own. */
export function callOf({ subject = {}, ending = {}, timeMs = startMs }: EventParts = {}): Occurrence {
  const about: Subject = {
    action: 'getLivestream',
    method: 'GET',
    tenantId: 'acme',
    keyId: 'k1',
    address: '127.0.0.1',
    requestId: `r${made++}`,
    resources: [{ type: 'meeting', uid: 'm1' }],
    ...subject
  }
  return { subject: about, ending: { outcome: 'done', status: 200, ...ending }, timeMs }
}

/** The event of one. */
export function eventOf(parts: EventParts = {}): AuditEvent {
  const { subject, ending, timeMs } = callOf(parts)
  return toAuditEvent(subject, ending, timeMs)
}

/** The event as it is stored after this head. */
export function link({ seq, hash }: ChainHead, event: AuditEvent): ChainedEvent {
  const { time, unmapped, api, metadata } = event
  const text = JSON.stringify(event)
  return {
    seq: seq + 1,
    prevHash: hash,
    hash: chainHash(hash, text),
    event: text,
    columns: {
      time,
      tenant_id: unmapped.tenant_id,
      action: api.operation,
      outcome: unmapped.outcome,
      request_id: metadata.correlation_uid
    }
  }
}

export const emptyHead: ChainHead = { seq: 0, hash: noHash }

/** Makes so many events in a chain. */
export function chainOf(count: number, tenants = ['acme', 'globex', null], after = emptyHead): ChainedEvent[] {
  const chain: ChainedEvent[] = []
  for (let i = 0; i < count; i++) {
    const tenantId = tenants[i % tenants.length] ?? null
    const outcome = (['done', 'refused', 'pending', 'unknown'] as const)[i % 4]
    const resources = [{ type: 'meeting' as const, uid: `é-${i}` }]
    const parts: EventParts = { subject: { tenantId, resources }, ending: { outcome: outcome ?? 'done' } }
    chain.push(link(chain.at(-1) ?? after, eventOf({ ...parts, timeMs: timeOf({ seq: after.seq + i + 1 }) })))
  }
  return chain
}

/** A checkpoint of this place. */
export function checkpointOf(
  head: ChainHead,
  signer: Signer,
  { log = logName, timeMs = timeOf(head) }: { log?: string; timeMs?: number } = {}
): StoredNote {
  return {
    kind: 'checkpoint',
    seq: head.seq,
    timeMs,
    note: signer.sign(writeHead('checkpoint', log, head, timeMs))
  }
}

/** A checkpoint every so many events, and one of the last. */
export function checkpointsOf(chain: ChainedEvent[], signer: Signer, every = 1_000): StoredNote[] {
  return chain
    .filter(({ seq }, i) => seq % every === 0 || i === chain.length - 1)
    .map(head => checkpointOf(head, signer))
}

/** Verdict of the verifier on these events. */
export function verify(evidence: Evidence, events: Iterable<ChainedEvent>, after?: ChainHead | null): LogFault | Proof {
  const verifier = new LogVerifier(evidence, after)
  for (const event of events) {
    const finding = verifier.next(event)
    if (finding !== null) return finding
  }
  return verifier.end()
}

/** A log as its gateway has written it: events, what was signed of them, and the keys in the order in which they signed. */
export interface Written {
  chain: ChainedEvent[]
  notes: StoredNote[]
  signers: Signer[]
}

/** A log whose signing key was changed after each of these events. */
export function writtenLog(count: number, rotatedAfter: number[] = [], every = 100): Written {
  const signers = [newSigner()]
  const notes: StoredNote[] = []
  let chain: ChainedEvent[] = []
  for (const upTo of [...rotatedAfter, count]) {
    const part = chainOf(upTo - chain.length, undefined, chain.at(-1))
    const before = signers.at(-1) as Signer
    notes.push(...checkpointsOf(part, before, every))
    chain = [...chain, ...part]
    if (upTo === count) break
    const after = newSigner()
    const { event, note } = rotation(chain.at(-1) ?? emptyHead, before, after)
    chain.push(event)
    notes.push(note, checkpointOf(event, after))
    signers.push(after)
  }
  return { chain, notes, signers }
}

/** The event and the note of a change of the signing key. */
export function rotation(head: ChainHead, before: Signer, after: Signer): { event: ChainedEvent; note: StoredNote } {
  const timeMs = timeOf({ seq: head.seq + 1 })
  const note = before.sign(writeKeyChange(logName, before.publicKey, after.publicKey, timeMs))
  const subject = { action: 'rotateAuditKey', method: 'PUT', tenantId: null, keyId: null, address: null, resources: [] }
  const event = link(head, eventOf({ subject, ending: { note }, timeMs }))
  return { event, note: { kind: 'key', seq: event.seq, timeMs, note } }
}

/** Input of a verifier of such a log. It trusts the last key, when no other is named. */
export function evidenceOf({ notes, signers }: Written, more: Partial<Evidence> = {}): Evidence {
  const publicKey = (signers.at(-1) as Signer).publicKey
  return { log: logName, notes: inOrder(notes), publicKey, trustedKey: publicKey, ...more }
}

export function inOrder(notes: readonly StoredNote[]): StoredNote[] {
  return [...notes].sort((a, b) => a.seq - b.seq)
}

/** The log is cut after this event: that it is, is signed. */
export function cutOf(head: ChainHead, signer: Signer, timeMs = timeOf({ seq: 1_000_000 })): StoredNote {
  return { kind: 'cut', seq: head.seq, timeMs, note: signer.sign(writeHead('cut', logName, head, timeMs)) }
}

/** Verdict of the verifier on a store's log. */
export async function proveStore(store: Store, trustedKey: string, outside: string[] = []): Promise<LogFault | Proof> {
  const notes = auditNotesIn(store)
  const { publicKey } = await notes.keys()
  const events: ChainedEvent[] = []
  for await (const some of auditEventsIn(store).walk()) events.push(...some)
  return verify({ log: await notes.logName(), notes: await notes.list(), publicKey, trustedKey, outside }, events)
}
