/** Refusals and limits in the vendor's answers: how they are told from those of its edge, and what they are in our words. */
import type { IncomingHttpHeaders } from 'node:http'
import { parseList } from 'structured-headers'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
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
import { at, cleaned, type Own, reasonOf, wordsOf } from './vendor-words.ts'

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

/** Subject of a refusal that comes from before the vendor's API: a credential, a path without an operation, or something else. */
export type Complaint = 'credentials' | 'route' | 'other'

/** Tells a vendor's own refusals from those of its edge, and of anybody between the vendor and us. */
export interface RefusalReader {
  /** Null when the answer is not the edge's. */
  complaintIn(body: unknown): Complaint | null
  /** Whether a refusal is the vendor's own word: a proxy's page says 404 as well, and must not pass for "nothing is live". */
  isOwnWord(body: unknown): boolean
  /** The same of an answer that says "not there". */
  isOwnNo(body: unknown): boolean
}

/**
 * Cloudflare's edge has answered, and not the vendor's API behind it (contract#edge-errors): a 404 of it says nothing of a
 * meeting or a livestream.
 */
const EdgeAnswer = Type.Object({ errors: Type.Array(Type.Unknown()) })
const CodedComplaint = Type.Object({ code: Type.Union([Type.Integer(), Type.String({ pattern: '^\\d{1,9}$' })]) })
const isEdgeAnswer = Compile(EdgeAnswer)
const isCoded = Compile(CodedComplaint)

/** Codes for: authentication error, headers missing, invalid headers, invalid or not allowed token. */
const credentialCodes = [10000, 9106, 6003, 9109]
/** Codes for: could not route, since account, app or path is not there; no route for that URI. */
const routeCodes = [7003, 7000]

/** Null when the answer is not the edge's. */
function complaintIn(body: unknown): Complaint | null {
  if (!isEdgeAnswer.Check(body)) return null
  // The cause may stand in the chain behind the first complaint.
  const all = body.errors.flatMap(one => [one, at(one, 'error_chain')].flat())
  const complaints = all.filter((one): one is Static<typeof CodedComplaint> => isCoded.Check(one))
  const has = (codes: number[]): boolean => complaints.some(({ code }) => codes.includes(Number(code)))
  if (has(credentialCodes)) return 'credentials'
  return has(routeCodes) ? 'route' : 'other'
}

/** Whether a body says that the call was a success, and shows what came of it: then its status is no refusal. */
function showsSuccess(body: unknown): boolean {
  if (!isJson(body)) return false
  const { success, data } = body
  return success === true && typeof data === 'object' && data !== null && Object.keys(data).length > 0
}

/**
 * Whether a refusal is the vendor's own word: JSON, and not the edge's. A web server's page, or a proxy's, also says 404. Taken for
 * "nothing is live", it would have us believe in a stop that nobody has heard. A success in the body contradicts the status.
 */
function isOwnWord(body: unknown): body is Record<string, unknown> {
  return isJson(body) && !('errors' in body) && !showsSuccess(body)
}

function isJson(body: unknown): body is Record<string, unknown> {
  return typeof body === 'object' && body !== null && !Array.isArray(body)
}

/** The same of an answer that says "not there": a router in front of the vendor says that in JSON as well, and in words of its own. */
function isOwnNo(body: unknown): boolean {
  if (!isOwnWord(body)) return false
  const { success, message, error } = body
  return success === false || (message === undefined && error === undefined)
}

/** Refusals of Cloudflare's edge, and of what stands behind it. */
export const cloudflareEdge: RefusalReader = { complaintIn, isOwnWord, isOwnNo }

/** Rest of the quota, as the vendor says. */
export interface VendorLimit {
  /** Calls. */
  remaining: number
  /** Until there is more. */
  resetMs: number
  /** The whole quota, as `Ratelimit-Policy` says; null when it doesn't. */
  quota: number | null
}

/**
 * The vendor's `Ratelimit` field, e.g. `"default";r=50;t=30` (contract#ratelimit-fields); of several the one with the longest
 * time, since a limit of a second says nothing about a quota. Null when there is none, or none that can be read: a malformed field is no reason to trust or distrust anything.
 */
export function readVendorLimit({ ratelimit, 'ratelimit-policy': policy }: IncomingHttpHeaders): VendorLimit | null {
  if (typeof ratelimit !== 'string') return null
  const policies = typeof policy === 'string' ? list(policy) : []
  const limits: VendorLimit[] = []
  for (const [name, parameters] of list(ratelimit)) {
    const remaining = parameters.get('r')
    const seconds = parameters.get('t')
    if (!isCount(remaining) || !isCount(seconds)) continue
    // The vendor's own example has one policy, by another name than its limit.
    const [only, ...others] = policies
    const [, said] = policies.find(([other]) => other === name) ?? (others.length === 0 ? (only ?? []) : [])
    const quota = said?.get('q')
    limits.push({ remaining, resetMs: seconds * 1_000, quota: isCount(quota) && quota >= remaining ? quota : null })
  }
  return limits.sort((a, b) => b.resetMs - a.resetMs || a.remaining - b.remaining)[0] ?? null
}

/** True when the vendor's edge, and not what is behind it, has refused the call as one too many. */
export function isThrottled(status: number, headers: IncomingHttpHeaders): boolean {
  return status === 429 || (status >= 400 && headers['x-envoy-ratelimited'] === 'true')
}

/** Seconds; a missing or strange value counts as 5, since an unbounded one would lock callers out. */
export function readRetryAfter({ 'retry-after': text }: IncomingHttpHeaders): number {
  const seconds = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 5
  return Math.min(Math.max(seconds, 1), 3_600)
}

function list(field: string): ReturnType<typeof parseList> {
  try {
    return parseList(field)
  } catch {
    return []
  }
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0
}
