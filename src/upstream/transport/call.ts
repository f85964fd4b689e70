import type { Secret } from '../../domain/values/secret.ts'

export interface Call {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Made by the `path` tag, relative to the base address; a query may follow. */
  path: string
  body?: object
  /** The whole value of `Authorization`. It is added here, last, and nowhere else. */
  authorization: Secret
  /** Bounds the whole call, from waiting for a connection to the last byte: undici's own time-outs restart with each chunk. */
  signal: AbortSignal
}

/** The same, also of what is published to everybody: then it is null, and none is sent. */
export interface OpenCall extends Omit<Call, 'authorization'> {
  authorization: Secret | null
}

/** An answer of the vendor, as JSON when it was JSON. */
export interface VendorAnswer {
  status: number
  body: unknown
  /** The vendor's clock, in whole seconds; null when it didn't say. */
  dateMs: number | null
  /** Why a mutation was refused, in the vendor's own words, cleaned. */
  reason?: string | undefined
}

/** An answer of any kind, with what its fields say of it. */
export interface RawVendorAnswer extends VendorAnswer {
  throttled: boolean
  retryAfterSeconds: number
}

/** A call as a provider makes it. */
export interface VendorCall extends Omit<Call, 'authorization'> {
  /** A 5xx may be the vendor's usual answer to this call: it is not sent again for that, and is no sign of trouble. */
  mayFail?: boolean
}

/** Sends a provider's call. Errand, credential and connection are chosen elsewhere. */
export type Send = (call: VendorCall, expected?: readonly number[]) => Promise<VendorAnswer>
