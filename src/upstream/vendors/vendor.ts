import type { Secret } from '../../domain/values/secret.ts'
import type { Complaint, RefusalReader } from '../contract/refusals.ts'
import type { WebhookDialect } from '../contract/webhooks.ts'
import type { Provider, VendorHabits } from '../provider.ts'
import type { Send } from '../transport/call.ts'
import type { Heard, InspectorCall } from '../transport/vendor-inspector.ts'
import type { VendorSettings } from './settings.ts'

/** A vendor: everything that differs from the others. Each has a folder here, and a line in `vendors.ts`. */
export interface Vendor {
  readonly settings: VendorSettings
  /** Livegate's calls in the vendor's words. */
  provider(send: Send, habits: VendorHabits): Provider
  readonly harmlessRead: HarmlessRead
  readonly refusals: RefusalReader
  readonly webhooks: WebhookDialect
  readonly diagnosis: Diagnosis
}

/** A read that harms nothing, and shows whether a credential is taken. */
export interface HarmlessRead {
  readonly method: 'GET'
  readonly path: string
  /** Reads the answer. Another server at that address may say 200 as well. @throws UpstreamMalformed */
  demand(body: unknown): void
  /** Whether a success has the vendor's envelope, for a diagnosis that looks no further. */
  isEnvelope(body: unknown): boolean
}

/** An answer to the harmless read that is no success, with the means to ask on. */
export interface Refused {
  status: number
  complaint: Complaint | null
  /** The account's address, with its path. */
  baseUrl: URL
  ask(call: InspectorCall): Promise<Heard>
}

/** A question of the contract that one vendor alone leaves open (contract#open-questions). */
export interface OwnQuestion {
  /** The simulator's switch that imitates the answer, and the values that it has. */
  readonly name: string
  readonly fits: readonly string[]
  ask(meetingId: string, ask: (call: InspectorCall, credential?: Secret) => Promise<Heard>): Promise<string | number>
}

/** Everything that `livegate doctor` has to know of one vendor. */
export interface Diagnosis {
  /** Why a credential is not taken, and which setting to correct; null when the answer is not about credential, account or app. */
  whyRefused(refused: Refused): Promise<string | null>
  /** The contracts in which its accounts may be (contract#two-contracts). */
  readonly contracts: readonly string[]
  readonly questions: readonly OwnQuestion[]
}

/** Vendors by the names that configurations have for them. */
export type Vendors = ReadonlyMap<string, Vendor>

/** @throws TypeError that names the vendor when there is no such one */
export function vendorNamed(vendors: Vendors, name: string): Vendor {
  const vendor = vendors.get(name)
  if (vendor === undefined)
    throw new TypeError(`there is no vendor ${name}: there is ${[...vendors.keys()].join(', ')}`)
  return vendor
}
