import type { Quota } from '../../domain/values/quota.ts'
import type { Secret } from '../../domain/values/secret.ts'

/** An account's settings as an operator gave them; each is there, and none is checked but for its form. */
export interface GivenAccount {
  baseUrl: URL
  /** Values of the fields in `ids`, in their order. */
  ids: readonly string[]
  credentials: readonly string[]
}

/** An account as its vendor sees it. */
export interface AccountAtVendor {
  /** The address under which the operations stand. */
  baseUrl: URL
  /** Name of the account at the vendor's, whatever its address and credentials. */
  identity: string
  /** Name of what the quota is counted for: several accounts may share one. */
  quotaOf: string
  /** Values of `Authorization`, one for each credential. */
  credentials: readonly Secret[]
}

/** Settings that a vendor's account needs. In the list of upstreams they are fields, in the environment variables. */
export interface VendorSettings {
  /** Begins the names of the variables: `DYTE` makes the variable `DYTE_ORG_ID` of the field `org_id`. */
  readonly prefix: string
  /** Fields that name the account at the vendor's. They are kept as secrets. */
  readonly ids: readonly string[]
  /** The field of the credential, or of two. */
  readonly credential: string
  readonly usualBaseUrl: string
  /** Each field, `base_url` too, in words for the table of variables. */
  readonly about: Readonly<Record<string, string>>
  /** The vendor's own figure, which holds where the operator gives none. */
  readonly usualQuota: Quota
  /** The address of the key of its webhooks, for an account at this address (contract#webhook-key). */
  webhookKeyUrl(baseUrl: URL): URL
  /** Completes the sentence `org_id must …` about an id that can't be one; null for all others. */
  faultOf(id: string): string | null
  account(given: GivenAccount): AccountAtVendor
}

/** The field of the vendor's address, with every vendor. */
export const baseUrlField = 'base_url'

/** The path of the document with the key of webhooks, with both vendors. */
export const webhookKeyPath = '/.well-known/webhooks.json'

/** The fields whose values are secrets; each may come from a file. */
export function secretFields({ ids, credential }: VendorSettings): readonly string[] {
  return [...ids, credential]
}

/** The variable of a field. */
export function variableOf({ prefix }: Pick<VendorSettings, 'prefix'>, field: string): string {
  return `${prefix}_${field.toUpperCase()}`
}

/** The setting by both of its names, for people. */
export function bothNames(settings: Pick<VendorSettings, 'prefix'>, field: string): string {
  return `${field} (${variableOf(settings, field)})`
}
