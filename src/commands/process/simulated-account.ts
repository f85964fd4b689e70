import { baseUrlField, secretFields, variableOf } from '../../upstream/vendors/settings.ts'
import { vendorNamed } from '../../upstream/vendors/vendor.ts'
import { vendors } from '../../upstream/vendors/vendors.ts'

export interface SimulatedAccount {
  vendor: string
  url: string
  /** Ids of the account and the key or token, in the order in which the vendor's settings have them. */
  credentials: Record<string, string>
}

/** A simulated account as variables of a gateway's environment. */
export function environmentOf({ vendor, url, credentials }: SimulatedAccount): Record<string, string> {
  const { settings } = vendorNamed(vendors, vendor)
  const values = [url, ...Object.values(credentials)]
  const variables = [baseUrlField, ...secretFields(settings)].map(field => variableOf(settings, field))
  return Object.fromEntries(variables.map((name, i) => [name, values[i] ?? '']))
}
