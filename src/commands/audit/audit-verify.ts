import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkpointFileName, publicKeyFileName, readOwnFile } from '../../audit/copies.ts'
import type { LogFault } from '../../audit/proof/log-fault.ts'
import { lostKeys } from '../../audit/proof/reigns.ts'
import type { Evidence } from '../../audit/proof/signed-claims.ts'
import { LogVerifier, type Proof } from '../../audit/proof/verify.ts'

import { readStoreConfig } from '../../config/config.ts'
import { findDamage, findForeign } from '../../store/schema/integrity.ts'
import type { Store } from '../../store/store.ts'
import { auditEventsIn } from '../../store/tables/audit/audit-events.ts'
import { auditNotesIn } from '../../store/tables/audit/audit-notes.ts'
import { CommandError, type Io, type JsonOption, LossOnRecord, print } from '../process/io.ts'
import { withSnapshot } from '../process/with-store.ts'
import { lossesOf, shownGap, shownLoss, tellGap } from './audit-losses.ts'

export interface VerifyOptions extends JsonOption {
  checkpoint?: string[]
  publicKey?: string[]
}

/** Time that the writing of a checkpoint may take. */
const signedWithinMs = 1_000

/**
 * Proves the audit log: exit code 0, or 1 with the first bad event, or 3 when it holds but for what is on record as lost. Changes
 * nothing, also beside a running gateway.
 */
export async function verifyAudit(io: Io, options: VerifyOptions): Promise<void> {
  const { auditKeys } = readStoreConfig(io.env)
  // The checkpoint is read before the store: a newer one would seem to vouch for events that are missing.
  const given = await Promise.all((options.checkpoint ?? []).map(async file => readNotes(file, await readNeeded(file))))
  const beside = await readOwnFile(join(auditKeys.dataDir, checkpointFileName)).catch(() => null)
  const own = await readOwnFile(join(auditKeys.dataDir, publicKeyFileName)).catch(() => null)
  const trusted = options.publicKey && (await Promise.all(options.publicKey.map(readNeeded)))
  const look = () => withSnapshot(io, store => verifyStore(store, { given: given.flat(), beside, trusted, own }))
  const first = await look()
  // After the clock was set a gateway signs at once, and this may have been the moment before.
  const result = 'why' in first && first.isUnsigned ? await sleep(signedWithinMs).then(look) : first
  if ('why' in result) {
    const where = result.seq === null ? '' : `event ${result.seq}: `
    if (options.json) io.out(JSON.stringify({ verified: false, seq: result.seq, why: result.why }))
    throw new CommandError(`the audit log does not hold: ${where}${result.why}`)
  }
  const { firstSeq, lastSeq, signedSeq, checkpoints, beforeTheCut, gaps, losses } = result
  const lost = lossesOf(result)
  const facts = {
    verified: lost.length === 0,
    first_seq: firstSeq,
    last_seq: lastSeq,
    signed_seq: signedSeq,
    checkpoints,
    not_compared: beforeTheCut,
    own_key_trusted: options.publicKey === undefined,
    restores: gaps.map(shownGap),
    lost_keys: losses.map(shownLoss)
  }
  const lines = [
    `the audit log holds: events ${firstSeq} to ${lastSeq}, signed up to ${signedSeq}, ${checkpoints} checkpoints`,
    ...(beforeTheCut > 0 ? [`${beforeTheCut} of the checkpoints are about events that were pruned`] : []),
    ...(options.publicKey === undefined
      ? ['the public key beside the log was trusted: give a copy from another place with --public-key']
      : []),
    ...gaps
      .filter(({ toSeq }) => toSeq === null)
      .map(gap => `${tellGap(gap)}: what came after it until then is not known here`)
  ]
  print(io, options, facts, lines.join('\n'))
  if (lost.length > 0)
    throw new LossOnRecord(`the audit log holds, but for what is on record as lost: ${lost.join('; ')}`)
}

interface Given {
  given: string[]
  beside: string | null
  /** Copies of public keys from other places. */
  trusted: string[] | undefined
  /** The one that lies beside the log. */
  own: string | null
}

async function verifyStore(store: Store, { given, beside, trusted, own }: Given): Promise<LogFault | Proof> {
  const notes = auditNotesIn(store)
  const log = await notes.logName()
  const outside = beside === null ? given : [...given, beside]
  const { publicKey } = await notes.keys()
  const stored = await notes.list()
  const ownKey = own?.trim() ?? publicKey
  const [trustedKey, ...alsoTrusted] = trusted ?? (ownKey === null ? [] : [ownKey, ...lostKeys(stored)])
  if (trustedKey === undefined) throw new CommandError('this log was never signed: no gateway has served it yet')
  const evidence: Evidence = { log, notes: stored, outside, publicKey, trustedKey, alsoTrusted }
  const verifier = new LogVerifier(evidence)
  const foreign = await findForeign(store.engine, store.sql)
  if (foreign !== null) return { seq: null, why: foreign }
  const damage = await findDamage(store.engine, store.sql)
  if (damage !== null) return { seq: null, why: `the store's file is damaged: ${damage}` }
  const auditEvents = auditEventsIn(store)
  let passed = 0
  for await (const events of auditEvents.walk()) {
    passed += events.length
    for (const event of events) {
      const finding = verifier.next(event)
      if (finding !== null) return finding
    }
  }
  const astray = (await auditEvents.count()) - passed
  if (astray > 0) return { seq: null, why: `${astray} more rows stand in the table, in no place of the log` }
  return verifier.end()
}

async function readNeeded(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => {
    throw new CommandError(`${file} cannot be read`)
  })
}

/** Notes one after the other, or lines of the gateway's log that carry them. */
function readNotes(file: string, text: string): string[] {
  const logged = [...text.matchAll(/"checkpoint":("livegate\.audit\/(?:[^"\\\n]|\\.)*")/g)].flatMap(([, json = '']) =>
    read(json)
  )
  const plain = [...text.matchAll(/^livegate\.audit\/(?:.+\n)+\n(?:— .+\n?)+/gm)].map(([note]) => `${note.trimEnd()}\n`)
  if (logged.length + plain.length === 0) throw new CommandError(`${file} holds no checkpoint`)
  return [...logged, ...plain]
}

/** Reads one line. A line that somebody has damaged counts as none. */
function read(json: string): string[] {
  try {
    return [JSON.parse(json) as string]
  } catch {
    return []
  }
}
