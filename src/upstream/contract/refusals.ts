import {
  type Failure,
  InvalidInput,
  type Outcome,
  UpstreamFailed,
  UpstreamMalformed,
  UpstreamRefused,
  UpstreamThrottled
} from '../../domain/refusals/failures.ts'
import type { Call, RawVendorAnswer } from '../transport/call.ts'
import { aboutOwnField, isAboutQuery } from './field-refusal.ts'
import type { RefusalReader } from './refusal-reader.ts'
import { CredentialRefused, Forbidden, NoRoute, VendorRefusal } from './vendor-refusal.ts'
import { type Own, reasonOf } from './vendor-words.ts'

/** Refusals that the vendor has, besides those about credentials and limits. */
const ownStatuses = [400, 404, 409, 422]

/** The vendor's status in our words (docs/vendor.md). */
export function refusalOf(
  answer: RawVendorAnswer,
  { method }: Pick<Call, 'method'>,
  own: Own,
  { complaintIn, isOwnWord }: RefusalReader
): Failure {
  const { status, body, throttled, retryAfterSeconds } = answer
  const cause = new Error(`the vendor answered ${status}`)
  const said = { cause, upstreamStatus: status, upstreamReason: reasonOf(body, own) }
  const ended = (outcome: Outcome) => ({ ...said, ...(method !== 'GET' && { outcome }) })
  const complaint = complaintIn(body)
  if (throttled) return new UpstreamThrottled({ ...ended('not_sent'), retryAfterSeconds })
  if (status === 401 || complaint === 'credentials') return new CredentialRefused(ended('not_sent'))
  if (status === 403) return new Forbidden({ ...ended('failed'), details: [detailOf(status)] })
  if (complaint === 'route') return new NoRoute(ended('not_sent'))
  if (status === 408 || status >= 500) return new UpstreamFailed(ended('unknown'))
  if (status >= 300 && status < 400) return new UpstreamMalformed(ended('unknown'))
  const isOwn = isOwnWord(body)
  // A proxy that gives up does not know what the vendor has done.
  if (!isOwn && method !== 'GET' && !ownStatuses.includes(status)) return strangersWord(status, true)
  const field = isOwn && (status === 400 || status === 422) ? aboutOwnField(body, own) : null
  if (field !== null) return new InvalidInput({ ...ended('failed'), details: [field] })
  const Refusal = isOwn ? VendorRefusal : UpstreamRefused
  return new Refusal({ ...ended('failed'), details: [detailOf(status)] })
}

/** Failure when somebody between the vendor and us has answered: what the vendor has done is not known. */
export function strangersWord(status: number, isMutation: boolean): Failure {
  const cause = new Error(`the answer ${status} is not the vendor's own`)
  return new UpstreamMalformed({ cause, upstreamStatus: status, ...(isMutation && { outcome: 'unknown' }) })
}

/** An id that can't be one is the id of nothing: to a read of one thing the vendor says 422, and means its 404. */
export function meansNotThere(
  { status, body }: RawVendorAnswer,
  { method, path }: Pick<Call, 'method' | 'path'>,
  { isOwnWord }: RefusalReader
): boolean {
  return method === 'GET' && status === 422 && isOwnWord(body) && !isAboutQuery(body, path)
}

function detailOf(status: number): { field: string; message: string } {
  return { field: 'upstream', message: `answered with status ${status}` }
}
