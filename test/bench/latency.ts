import { percentile } from '../support/bench/figures.ts'
import { type Generator, startGenerator } from '../support/bench/generator.ts'
import type { Job, Result } from '../support/bench/load.ts'
import type { Field } from './compare.ts'

/** The time that a contender adds to the same calls without it, in milliseconds. */
export interface Added {
  contender: string
  read: Times
  start: Times
  stop: Times
  failed: number
}
export interface Times {
  p50: number
  p99: number
}

export interface Calls {
  /** The count of each kind: a multiple of 64, so that every start has its stop. */
  calls: number
  meetings: number
}

const rate = 50
export const vendorMs = 20
const connections = 32
/** Straight to the vendor go other meetings, since it remembers which are live. */
const straightFrom = 1_000

/** At a low rate, with a vendor that takes 20 ms: through the contender and straight to the vendor at the same time. */
export async function latency({ vendor, running }: Field, generator: Generator, size: Calls): Promise<Added[]> {
  const straightly = startGenerator()
  const added: Added[] = []
  await vendor.set({ delayMs: vendorMs })
  try {
    for (const { contender, server } of running) {
      const job = { count: size.calls, connections, keys: contender.seeded.keys, meetings: size.meetings, rate }
      const both = (what: Job['what']): Promise<[Result, Result]> =>
        Promise.all([
          generator.run({ ...job, what, url: server.url }),
          straightly.run({ ...job, what, url: vendor.url, from: straightFrom })
        ])
      const reads = await both('read')
      const pairs = await both('pair')
      added.push({
        contender: contender.name,
        read: difference(reads, 'readMs'),
        start: difference(pairs, 'startMs'),
        stop: difference(pairs, 'stopMs'),
        failed: [...reads, ...pairs].reduce((sum, { failed }) => sum + failed, 0)
      })
      console.log(`latency of ${contender.name} is done`)
    }
  } finally {
    straightly.stop()
  }
  return added
}

function difference([through, straight]: [Result, Result], kind: 'readMs' | 'startMs' | 'stopMs'): Times {
  const at = (percent: number): number => percentile(through[kind], percent) - percentile(straight[kind], percent)
  return { p50: at(50), p99: at(99) }
}
