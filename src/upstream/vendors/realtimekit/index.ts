import { cloudflareEdge } from '../../contract/refusals.ts'
import { signedByRsa } from '../../contract/webhooks.ts'
import { harmlessRead } from '../dyte/harmless-read.ts'
import type { Vendor } from '../vendor.ts'
import { diagnosis } from './diagnosis.ts'
import { realtimekitProvider } from './realtimekit.ts'
import { settings } from './settings.ts'

/** Cloudflare RealtimeKit, which Dyte has become: most of its operations are Dyte's. */
export const realtimekit: Vendor = {
  settings,
  provider: realtimekitProvider,
  harmlessRead,
  refusals: cloudflareEdge,
  webhooks: signedByRsa,
  diagnosis
}
