import { dyte } from './dyte/index.ts'
import { realtimekit } from './realtimekit/index.ts'
import type { Vendors } from './vendor.ts'

/** The vendors that Livegate speaks to. */
export const vendors: Vendors = new Map(Object.entries({ dyte, realtimekit }))
