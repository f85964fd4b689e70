import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { UpstreamCredentialsRefused, UpstreamRefused } from '../../domain/refusals/failures.ts'

/**
 * Cloudflare's edge has answered, and not the vendor's API behind it (contract#edge-errors): a 404 of it says nothing of a
 * meeting or a livestream.
 */
const EdgeAnswer = Type.Object({ errors: Type.Array(Type.Unknown()) })
const Complaint = Type.Object({ code: Type.Union([Type.Integer(), Type.String({ pattern: '^\\d{1,9}$' })]) })
const isEdgeAnswer = Compile(EdgeAnswer)
const isComplaint = Compile(Complaint)

/** What the edge complains of. */
export type EdgeComplaint = 'credentials' | 'route' | 'other'

/** Authentication error, headers missing, invalid headers, invalid or not allowed token. */
const credentialCodes = [10000, 9106, 6003, 9109]
/** Could not route: an account or app that is not there, or a path that isn't; and no route for that URI. */
const routeCodes = [7003, 7000]

/** Null when the answer is not the edge's. */
export function edgeComplaint(body: unknown): EdgeComplaint | null {
  if (!isEdgeAnswer.Check(body)) return null
  // The cause may stand in the chain behind the first complaint.
  const all = body.errors.flatMap(one => [one, at(one, 'error_chain')].flat())
  const complaints = all.filter((one): one is Static<typeof Complaint> => isComplaint.Check(one))
  const has = (codes: number[]): boolean => complaints.some(({ code }) => codes.includes(Number(code)))
  if (has(credentialCodes)) return 'credentials'
  return has(routeCodes) ? 'route' : 'other'
}

/**
 * Whether a refusal is the vendor's own word: JSON, and not the edge's. A web server's page, or a proxy's, also says 404, and
 * taken for "nothing is live" it would have a stop believed that nobody has heard.
 */
export function isOwnWord(body: unknown): boolean {
  return typeof body === 'object' && body !== null && !Array.isArray(body) && !('errors' in body)
}

/** The same of an answer that says "not there": a router in front of the vendor says that in JSON as well, and in words of its own. */
export function isOwnNo(body: unknown): boolean {
  const hasWords = at(body, 'message') !== undefined || at(body, 'error') !== undefined
  return isOwnWord(body) && (at(body, 'success') === false || !hasWords)
}

/** Reads a value in an answer by the names that lead to it, however the answer is made; undefined when nothing stands there. */
export function at(body: unknown, ...names: string[]): unknown {
  return names.reduce<unknown>(
    (value, name) =>
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined,
    body
  )
}

/** The credential itself is not taken. */
export class CredentialRefused extends UpstreamCredentialsRefused {}

/** A 403 that may be about the credential, or about what was asked for: another question tells (`suspicion.ts`). */
export class Forbidden extends UpstreamRefused {}

/** Nothing is behind the path: the account or the app is wrong, or the vendor no longer has the operation. */
export class NoRoute extends UpstreamRefused {}
