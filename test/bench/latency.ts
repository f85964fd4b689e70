import type { Field } from './compare.ts'
import type { Generator } from './generator.ts'
import type { Job } from './load.ts'
import { percentile } from './support.ts'

/** What a contender adds to what the same calls take without it, in milliseconds. */
export interface Added {
  contender: string
  readP50: number
  readP99: number
  changeP50: number
  changeP99: number
  failed: number
}

export interface Calls {
  /** Of each kind, straight and through: a multiple of 64, so that every start has its stop. */
  calls: number
  meetings: number
}

const rate = 50
const vendorMs = 20
const connections = 32

/** At a low rate, with a vendor that takes 20 ms: straight to the vendor and through the contender by turns. */
export async function latency(
  { vendor, running }: Field,
  generator: Generator,
  { calls, meetings }: Calls
): Promise<Added[]> {
  const added: Added[] = []
  for (const { contender, server } of running) {
    const { keys } = contender.seeded
    const job = { connections, keys, meetings, rate }
    const through = await both(server.url)
    const straight = await both(vendor.url)
    added.push({
      contender: contender.name,
      readP50: percentile(through.readMs, 50) - percentile(straight.readMs, 50),
      readP99: percentile(through.readMs, 99) - percentile(straight.readMs, 99),
      changeP50: percentile(through.changeMs, 50) - percentile(straight.changeMs, 50),
      changeP99: percentile(through.changeMs, 99) - percentile(straight.changeMs, 99),
      failed: through.failed + straight.failed
    })
    console.log(`latency of ${contender.name} is done`)

    async function both(url: string) {
      await vendor.set({ delayMs: vendorMs })
      const read = await generator.run({ ...job, url, what: 'read', count: calls } satisfies Job)
      const pair = await generator.run({ ...job, url, what: 'pair', count: calls } satisfies Job)
      return { readMs: read.readMs, changeMs: pair.changeMs, failed: read.failed + pair.failed }
    }
  }
  return added
}
