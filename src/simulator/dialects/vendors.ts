import type { SimulatedVendor } from './dialect.ts'
import { dyte } from './dyte.ts'
import { realtimekit } from './realtimekit.ts'

/** The vendors that the simulator stands in for, by name. */
export const vendors = { dyte, realtimekit } satisfies Record<string, SimulatedVendor>

export type VendorName = keyof typeof vendors

export const vendorNames = Object.keys(vendors) as VendorName[]

/** The vendor where nobody names one. */
export const usualVendor: VendorName = 'dyte'
