import type { Profiler } from 'node:inspector'

export type Profile = Profiler.Profile

/** Between two looks at what the main thread does. */
export const sampleUs = 200
