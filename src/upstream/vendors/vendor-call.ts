import { isSameId, isVendorId } from '../../domain/id.ts'
import { Failure, type FailureOptions, UpstreamMalformed } from '../../domain/refusals/failures.ts'
import type { Call, VendorAnswer } from '../transport/call.ts'

/** A call as a provider makes it. */
export interface VendorCall extends Omit<Call, 'authorization'> {
  /** A 5xx may be the vendor's usual answer to this call: it is not sent again for that, and is no sign of trouble. */
  mayFail?: boolean
}

/** Sends a provider's call. Errand, credential and connection are chosen elsewhere. */
export type Send = (call: VendorCall, expected?: readonly number[]) => Promise<VendorAnswer>

/**
 * Builds an upstream path: path`/meetings/${id}/livestreams`.
 * Each value becomes exactly one segment, so an id can neither climb, nor add a segment, nor begin a query.
 * @throws TypeError for a value that would vanish or climb: `''`, `'.'`, `'..'` (encodeURIComponent leaves dots alone)
 */
export function path(text: TemplateStringsArray, ...segments: string[]): string {
  return text.reduce((built, part, i) => {
    const segment = segments[i - 1] ?? ''
    if (/^\.{0,2}$/.test(segment)) throw new TypeError(`unsafe path segment ${JSON.stringify(segment)}`)
    return built + encodeURIComponent(segment) + part
  })
}

/** Status and words of a refusal that was expected, for the failure that it becomes. */
export function saidIn({ status, reason }: VendorAnswer): FailureOptions {
  return { upstreamStatus: status, upstreamReason: reason }
}

/**
 * Refuses another object than the one that was asked for: it may be another tenant's. A vendor may write a UUID in another case than
 * elsewhere. The id that was asked for keeps its own spelling.
 * @throws UpstreamMalformed
 */
export function expectId(what: string, asked: string, answered: string): void {
  if (!isSameId(asked, answered)) {
    throw new UpstreamMalformed({ cause: new Error(`the vendor answered with another ${what}`) })
  }
}

/** Refuses an id of something new that can't be a part of our paths. @throws UpstreamMalformed */
export function expectPlainId(what: string, id: string): void {
  if (!isVendorId(id)) throw new UpstreamMalformed({ cause: new Error(`a ${what} id of unknown form`) })
}

/** Reads the answer to a mutation that the vendor has called a success. An answer that can't be read leaves the outcome unknown. */
export function readSuccess<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof Failure ? new UpstreamMalformed({ cause: error.cause, outcome: 'unknown' }) : error
  }
}
