import type { Quota } from './values/quota.ts'
import type { Secret } from './values/secret.ts'

/** The vendors' APIs that Livegate speaks: Dyte v2, and Cloudflare RealtimeKit which it becomes. */
export const providerKinds = ['dyte', 'realtimekit'] as const
export type ProviderKind = (typeof providerKinds)[number]

/** A proxy through which a vendor is reached, with tunnels (RFC 9110, section 9.3.6). */
export interface OutgoingProxy {
  /** Without user and password, e.g. `http://proxy.example:3128`. */
  readonly origin: string
  /** The whole value of `Proxy-Authorization`; null when it asks for none. */
  readonly authorization: Secret | null
}

/** A vendor account as it is configured. */
export interface UpstreamAccount {
  /** What tenants and meetings call it. */
  readonly name: string
  readonly provider: ProviderKind
  /** Where the operations stand; of RealtimeKit with account and app. */
  readonly baseUrl: URL
  /** Absent: it is reached directly. */
  readonly proxy?: OutgoingProxy | undefined
  /** What the account is at the vendor's, whatever its address and credentials: half of a credential of Dyte's. */
  readonly identity: Secret
  /** One or two values of `Authorization`, the preferred one first: the other is used when the vendor refuses it. */
  readonly credentials: readonly Secret[]
  /** The vendor's quota: so many calls in any so many seconds. */
  readonly quota: Quota
  /** The tenant that owns all meetings of the account; null when they are assigned one by one. */
  readonly dedicatedTo: string | null
}
