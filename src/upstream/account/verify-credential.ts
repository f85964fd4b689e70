import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import type { Secret } from '../../domain/values/secret.ts'
import { at, edgeComplaint } from '../transport/cloudflare-edge.ts'
import type { Heard, VendorInspector } from '../transport/vendor-inspector.ts'
import { harmless } from './open-upstream.ts'

/**
 * What a credential is good for. `refused_account` and `unknown_app` are RealtimeKit's: the token is good, and the account or
 * the app is not the token's. Dyte doesn't say whether it refuses organisation or key.
 */
export type CredentialFinding =
  | 'taken'
  | 'refused'
  | 'inactive'
  | 'refused_account'
  | 'unknown_account'
  | 'unknown_app'
  | 'not_allowed'
  | 'elsewhere'
  | 'throttled'
  | 'failing'

export interface Verified {
  finding: CredentialFinding
  /** The answer to the first question. */
  heard: Heard
}

/** Tries a credential with a read that harms nothing; where the vendor refuses it, asks on until it is clear what is wrong. @throws Failure when no answer comes */
export async function verifyCredential(
  inspector: VendorInspector,
  { provider }: Pick<UpstreamAccount, 'provider'>,
  credential: Secret
): Promise<Verified> {
  const heard = await inspector.ask(harmless, credential)
  const { status, body, throttled } = heard
  const complaint = edgeComplaint(body)
  const isKit = provider === 'realtimekit'
  const found = async (): Promise<CredentialFinding> => {
    if (throttled) return 'throttled'
    if (isKit && complaint === 'route') return whoseRoute(inspector, credential)
    if (isKit && (complaint === 'credentials' || status === 401)) return whoseRefusal(inspector, credential)
    if (complaint === 'credentials' || status === 401) return 'refused'
    if (status === 403) return 'not_allowed'
    if (status === 408 || status >= 500) return 'failing'
    return status < 300 && isEnvelope(body) ? 'taken' : 'elsewhere'
  }
  return { finding: await found(), heard }
}

/** The same answer comes for a wrong token and for one of another account: which it is, the edge says of the token alone. */
async function whoseRefusal(inspector: VendorInspector, credential: Secret): Promise<CredentialFinding> {
  // Tokens belong to a person or to an account; of the second kind only the account's own operation knows.
  for (const whose of ['edge', 'account'] as const) {
    const path = whose === 'edge' ? '/user/tokens/verify' : '/tokens/verify'
    const { status, body } = await inspector.ask({ method: 'GET', path, of: whose }, credential)
    if (status === 200) return at(body, 'result', 'status') === 'active' ? 'refused_account' : 'inactive'
  }
  return 'refused'
}

/** Nothing is behind the path. When the account shows its apps, the account is right. */
async function whoseRoute(inspector: VendorInspector, credential: Secret): Promise<CredentialFinding> {
  const { status } = await inspector.ask({ method: 'GET', path: '/apps', of: 'kit' }, credential)
  if (status === 200) return 'unknown_app'
  return status === 401 || status === 403 ? 'refused_account' : 'unknown_account'
}

/** The vendor's envelope of a success. */
function isEnvelope(body: unknown): boolean {
  return at(body, 'success') === true && typeof at(body, 'data') === 'object'
}
