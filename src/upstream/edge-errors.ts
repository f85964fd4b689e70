import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { UpstreamCredentialsRefused, UpstreamRefused } from '../domain/failures.ts'

/**
 * Cloudflare's edge has answered, and not the vendor's API behind it (contract section 6): a 404 of it says nothing of a
 * meeting or a livestream.
 */
const EdgeAnswer = Type.Object({
  success: Type.Literal(false),
  errors: Type.Array(Type.Object({ code: Type.Integer() }), { minItems: 1 }),
  error: Type.Optional(Type.Undefined())
})
const isEdgeAnswer = Compile(EdgeAnswer)

/** What the edge complains of. */
export type EdgeComplaint = 'credentials' | 'route' | 'other'

/** Authentication error, headers missing, invalid headers, invalid or not allowed token. */
const credentialCodes = [10000, 9106, 6003, 9109]
/** Could not route: an account or app that is not there, or a path that isn't; and no route for that URI. */
const routeCodes = [7003, 7000]

/** Null when the answer is not the edge's. */
export function edgeComplaint(body: unknown): EdgeComplaint | null {
  if (!isEdgeAnswer.Check(body)) return null
  const { errors }: Static<typeof EdgeAnswer> = body
  const has = (codes: number[]): boolean => errors.some(({ code }) => codes.includes(code))
  if (has(credentialCodes)) return 'credentials'
  return has(routeCodes) ? 'route' : 'other'
}

/** The credential itself is not taken. A 403 of the vendor's own may be about what was asked for. */
export class CredentialRefused extends UpstreamCredentialsRefused {}

/** Nothing is behind the path: the account or the app is wrong, or the vendor no longer has the operation. */
export class NoRoute extends UpstreamRefused {}
