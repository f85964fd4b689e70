/** Failures of a call after which the next one that shares its place in the queue may still be sent. */
import { Failure, InvalidInput, isOneOf, StartUnsettled, UpstreamUnreachable } from '../../domain/refusals/failures.ts'

/** True when the leader itself was refused: that says nothing of the next in the queue. */
export function isItsOwn(error: unknown): boolean {
  if (!(error instanceof Failure) || error.outcome !== 'not_sent') return false
  // An earlier start that is not settled holds them all back, and each would ask the vendor about it.
  return error.status < 500 && error.type !== StartUnsettled.doc.type
}

/**
 * True as well when no connection came to stand, or a field of the one that led was refused. Any other refusal by the vendor or the
 * store would meet the next one too.
 */
export function isWorthATry(error: unknown): boolean {
  if (!(error instanceof Failure)) return false
  const isUnreachable = isOneOf(error, UpstreamUnreachable) && error.outcome === 'not_sent'
  return isItsOwn(error) || isOneOf(error, InvalidInput) || isUnreachable
}
