import { type Failure, UpstreamMalformed } from '../../domain/refusals/failures.ts'

/** Failure when the vendor has called new what is somebody's already: whether anything was made nobody knows. */
export function notNew(what: 'meeting' | 'livestream'): Failure {
  const cause = new Error(`the vendor answered with a ${what} that is known already as a new one`)
  return new UpstreamMalformed({ cause, outcome: 'unknown' })
}
