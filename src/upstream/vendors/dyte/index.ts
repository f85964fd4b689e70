import { cloudflareEdge } from '../../contract/refusals.ts'
import { signedByRsa } from '../../contract/webhooks.ts'
import type { Vendor } from '../vendor.ts'
import { diagnosis } from './diagnosis.ts'
import { dyteProvider } from './dyte.ts'
import { harmlessRead } from './harmless-read.ts'
import { settings } from './settings.ts'

/** Dyte v2. Its API may stand behind Cloudflare's edge too. */
export const dyte: Vendor = {
  settings,
  provider: dyteProvider,
  harmlessRead,
  refusals: cloudflareEdge,
  webhooks: signedByRsa,
  diagnosis
}
