import {
  type Failure,
  type FailureDetail,
  InvalidInput,
  type Outcome,
  UpstreamCredentialsRefused,
  UpstreamFailed,
  UpstreamMalformed,
  UpstreamRefused,
  UpstreamThrottled
} from '../../domain/refusals/failures.ts'
import type { Call, RawVendorAnswer } from '../transport/call.ts'
import { type RefusalReader, showsSuccess } from './refusal-reader.ts'
import { cleaned, type Own, reasonOf, wordsOf } from './vendor-words.ts'

/** The vendor itself says no, in its own words: JSON, and not of its edge or of a proxy. */
export class VendorRefusal extends UpstreamRefused {}

/** The credential itself is not taken. */
export class CredentialRefused extends UpstreamCredentialsRefused {}

/** A 403 that may be about the credential, or about what was asked for: another question tells (`credentials.ts`). */
export class Forbidden extends UpstreamRefused {}

/** Nothing is behind the path: the account or the app is wrong, or the vendor no longer has the operation. */
export class NoRoute extends UpstreamRefused {}

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
  // Executed, maybe: the body says so, and the status does not.
  if (showsSuccess(body)) return strangersWord(status, method !== 'GET')
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

/** The form in which the vendor refuses a field: `[body] "destinations" is not allowed`. The part in brackets may be left out. */
const form = /^(?:BAD_REQUEST: )?(?:\[(\w+)\] )?"(\w+(?:\.\w+|\[\d+\])*)" (.+)$/s

interface FieldRefusal {
  /** The part of the call that has the field, like `body` or `query`; null when the vendor doesn't say. */
  segment: string | null
  /** The way to the field, from the outside. */
  names: string[]
  words: string
}

/** Null when the vendor's refusal is not of that form. */
function fieldRefusal(body: unknown): FieldRefusal | null {
  const [, segment = null, field = '', words = ''] = form.exec(wordsOf(body)[0] ?? '') ?? []
  return field === '' ? null : { segment, names: field.split(/[.[\]]+/).filter(name => name !== ''), words }
}

/**
 * Tells a caller of a refusal that is about a field of its own body. The field is named as far as the caller has sent it; the
 * rest is in the vendor's words. Null when the refusal is about something else.
 */
function aboutOwnField(body: unknown, own: Own): FailureDetail | null {
  const refused = fieldRefusal(body)
  if (refused === null || own.sent === undefined || !['body', null].includes(refused.segment)) return null
  const known: string[] = []
  for (let at: unknown = own.sent; typeof at === 'object' && at !== null; ) {
    const name = refused.names[known.length]
    if (name === undefined || !Object.hasOwn(at, name)) break
    known.push(name)
    at = (at as Record<string, unknown>)[name]
  }
  return known.length === 0 ? null : { field: ['body', ...known].join('.'), message: cleaned(refused.words, own) }
}

/** Whether the refusal is about the query of a read, and so says nothing of what was asked for. */
function isAboutQuery(body: unknown, path: string): boolean {
  const refused = fieldRefusal(body)
  if (refused === null) return false
  const query = new URLSearchParams(path.split('?')[1] ?? '')
  return refused.segment === 'query' || (refused.segment === null && query.has(refused.names[0] ?? ''))
}
