import type { Call, VendorAnswer } from '../transport/call.ts'

/** A call as a provider makes it. */
export interface VendorCall extends Omit<Call, 'authorization'> {
  /** A 5xx may be the vendor's usual answer to this call: it is not sent again for that, and is no sign of trouble. */
  mayFail?: boolean
}

/** Sends a provider's call. Errand, credential and connection are chosen elsewhere. */
export type Send = (call: VendorCall, expected?: readonly number[]) => Promise<VendorAnswer>
