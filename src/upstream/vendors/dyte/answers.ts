import { isSameId, isVendorId } from '../../../domain/id.ts'
import { Failure, type FailureOptions, UpstreamMalformed } from '../../../domain/refusals/failures.ts'
import type { Answer, Call } from '../../transport/client.ts'

/** A call as a provider makes it. */
export interface Question extends Omit<Call, 'authorization'> {
  /** A 5xx may be what this vendor always says to it: it is not asked again for that, and is not taken to be in trouble. */
  mayFail?: boolean
}

/** How a provider's calls go out: on whose errand, with which credential, and over which connections, others know. */
export type Send = (question: Question, expected?: readonly number[]) => Promise<Answer>

/** Status and words of a refusal that was expected, for the failure that it becomes. */
export function saidIn({ status, reason }: Answer): FailureOptions {
  return { upstreamStatus: status, upstreamReason: reason }
}

/**
 * Another object than the one that was asked for must not reach the caller: it may be another tenant's. A vendor may write a UUID in
 * another case than elsewhere: what is asked for and what is known keeps its own spelling.
 */
export function expectId(what: string, asked: string, answered: string): void {
  if (!isSameId(asked, answered)) {
    throw new UpstreamMalformed({ cause: new Error(`the vendor answered with another ${what}`) })
  }
}

/** The id of something new: it is to be a part of our paths. */
export function expectPlainId(what: string, id: string): void {
  if (!isVendorId(id)) throw new UpstreamMalformed({ cause: new Error(`a ${what} id of unknown form`) })
}

/** Reads the answer to a mutation that the vendor has called a success: what can't be read leaves its outcome unknown. */
export function settle<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof Failure ? new UpstreamMalformed({ cause: error.cause, outcome: 'unknown' }) : error
  }
}
