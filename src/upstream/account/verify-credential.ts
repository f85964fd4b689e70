import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import type { Secret } from '../../domain/values/secret.ts'
import type { Heard, VendorInspector } from '../transport/vendor-inspector.ts'
import type { Vendor } from '../vendors/vendor.ts'

/** Whether a credential is good, or why that could not be told. */
export type CredentialFinding = 'taken' | 'refused' | 'not_allowed' | 'elsewhere' | 'throttled' | 'failing'

export interface Verified {
  finding: CredentialFinding
  /** Reason of a refusal, and the setting to correct; null when the credential was not refused. */
  why: string | null
  /** The answer to the first call. */
  heard: Heard
}

/**
 * Tries a credential with a read that harms nothing. Where the vendor refuses it, asks on until it is clear what is wrong.
 * @throws Failure when no answer comes
 */
export async function verifyCredential(
  inspector: VendorInspector,
  { harmlessRead, refusals, diagnosis }: Vendor,
  { baseUrl }: Pick<UpstreamAccount, 'baseUrl'>,
  credential: Secret
): Promise<Verified> {
  const { method, path, isEnvelope } = harmlessRead
  const heard = await inspector.ask({ method, path }, credential)
  const { status, body, throttled } = heard
  if (throttled) return { finding: 'throttled', why: null, heard }
  const complaint = refusals.complaintIn(body)
  const why = await diagnosis.whyRefused({ status, complaint, baseUrl, ask: call => inspector.ask(call, credential) })
  if (why !== null) return { finding: 'refused', why, heard }
  return { finding: findingOf(status, status < 300 && isEnvelope(body)), why, heard }
}

function findingOf(status: number, isTaken: boolean): CredentialFinding {
  if (status === 403) return 'not_allowed'
  if (status === 408 || status >= 500) return 'failing'
  return isTaken ? 'taken' : 'elsewhere'
}
