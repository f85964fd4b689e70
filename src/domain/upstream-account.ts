import type { Quota } from './values/quota.ts'
import type { Secret } from './values/secret.ts'

/** A proxy through which a vendor is reached, with tunnels (RFC 9110, section 9.3.6). */
export interface OutgoingProxy {
  /** Without user and password, e.g. `http://proxy.example:3128`. */
  readonly origin: string
  /** The whole value of `Proxy-Authorization`; null when it asks for none. */
  readonly authorization: Secret | null
}

/** Source of the key with which a vendor signs its webhooks: an address that publishes it, or the key itself (PEM). */
export type WebhookKeySource =
  | { readonly url: URL; readonly proxy?: OutgoingProxy | undefined }
  | { readonly pem: string }

/** A vendor account as it is configured. */
export interface UpstreamAccount {
  /** Name by which tenants and meetings refer to it. */
  readonly name: string
  /** The vendor's name, as `upstream/vendors/vendors.ts` has it. */
  readonly provider: string
  /** The address under which the operations stand; a vendor may have ids of the account in it. */
  readonly baseUrl: URL
  /** Absent: it is reached directly. */
  readonly proxy?: OutgoingProxy | undefined
  /** Name of the account at the vendor's, whatever its address and credentials. Secret, since it may be half of a credential. */
  readonly identity: Secret
  /** One or two values of `Authorization`, the preferred one first. The other is used when the vendor refuses it. */
  readonly credentials: readonly Secret[]
  /** The vendor's quota: so many calls in any so many seconds. */
  readonly quota: Quota
  readonly webhookKey: WebhookKeySource
  /** The tenant that owns all meetings of the account; null when they are assigned one by one. */
  readonly dedicatedTo: string | null
}

/** Whether two configurations are of the same account, whatever its credentials: these can change while calls go on. */
export function isSameAccount(one: UpstreamAccount, other: UpstreamAccount): boolean {
  return isSameConfiguration({ ...one, credentials: [] }, { ...other, credentials: [] })
}

export function isSameConfiguration(one: UpstreamAccount, other: UpstreamAccount): boolean {
  return textOf(one) === textOf(other)
}

/** An account as text in which nothing is hidden: to compare, and nothing else. */
function textOf({ baseUrl, identity, credentials, ...rest }: UpstreamAccount): string {
  return JSON.stringify([baseUrl.href, identity.reveal(), credentials.map(one => one.reveal()), Object.entries(rest)])
}
