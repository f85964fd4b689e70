import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Fault } from './faults/faults.ts'

/** One vendor request, noted when it arrives and completed as it goes on. */
export interface JournalEntry {
  method: string
  /** The request target byte for byte: nothing decoded, nothing collapsed. */
  target: string
  /** Lower-case names; values as received, credentials included. */
  headers: IncomingHttpHeaders
  /** Empty until it has arrived. */
  body: string
  /** Status of the answer; null while there is none, and for good when the simulator or the caller hung up. */
  status: number | null
  /** The operation was carried out (a change was made, a read performed), whatever a fault made of the answer. */
  executed: boolean
  /** Epoch milliseconds of the simulator's clock. */
  at: number
  fault?: Fault
}

/** Notes the request at the end of the journal; beyond the limit the oldest tenth goes. */
export function note(journal: JournalEntry[], limit: number, request: IncomingMessage, at: number): JournalEntry {
  const { method = '', url: target = '', headers } = request
  const entry: JournalEntry = { method, target, headers, body: '', status: null, executed: false, at }
  journal.push(entry)
  // A tenth at a time, because taking one entry off the front of a long array moves all the others.
  if (journal.length > limit) journal.splice(0, Math.ceil(limit / 10))
  return entry
}

/** An entry for eyes outside the process: credentials become a fingerprint that still tells equal from different. */
export function withoutCredentials(entry: JournalEntry): JournalEntry {
  const { authorization } = entry.headers
  return authorization === undefined
    ? entry
    : { ...entry, headers: { ...entry.headers, authorization: fingerprint(authorization) } }
}

/** A value without a space is all credential, as in the vendor's first API: then there is no scheme to show. */
function fingerprint(authorization: string): string {
  const [, scheme = '', credentials = authorization] = /^(\S+ )(.*)$/.exec(authorization) ?? []
  return `${scheme}sha256:${createHash('sha256').update(credentials).digest('hex')}`
}
