import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'

/** Reads a value in an answer by the names that lead to it, however the answer is made; undefined when nothing stands there. */
export function at(body: unknown, ...names: string[]): unknown {
  return names.reduce<unknown>(
    (value, name) =>
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined,
    body
  )
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
export function showsSuccess(body: unknown): boolean {
  const data = at(body, 'data')
  return at(body, 'success') === true && typeof data === 'object' && data !== null && Object.keys(data).length > 0
}

/**
 * Whether a refusal is the vendor's own word: JSON, and not the edge's. A web server's page, or a proxy's, also says 404. Taken for
 * "nothing is live", it would have us believe in a stop that nobody has heard. A success in the body contradicts the status.
 */
function isOwnWord(body: unknown): boolean {
  const isJson = typeof body === 'object' && body !== null && !Array.isArray(body)
  return isJson && !('errors' in body) && !showsSuccess(body)
}

/** The same of an answer that says "not there": a router in front of the vendor says that in JSON as well, and in words of its own. */
function isOwnNo(body: unknown): boolean {
  const hasWords = at(body, 'message') !== undefined || at(body, 'error') !== undefined
  return isOwnWord(body) && (at(body, 'success') === false || !hasWords)
}

/** Refusals of Cloudflare's edge, and of what stands behind it. */
export const cloudflareEdge: RefusalReader = { complaintIn, isOwnWord, isOwnNo }
