import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { grouped, median } from '../support/bench/figures.ts'
import type { Generator } from '../support/bench/generator.ts'
import { type Seed, type Seeded, seed, serveLivegate } from '../support/bench/livegate.ts'
import type { Served } from '../support/bench/process.ts'
import type { Scene } from '../support/bench/scene.ts'
import { startVendor } from '../support/bench/vendor.ts'
import { connections } from './scenarios.ts'
import { table } from './tables.ts'

const stores: Record<string, Seed> = {
  '10 meetings': { meetings: 10, own: 0, tenants: 1 },
  '10,000 meetings': { meetings: 10_000, own: 0, tenants: 1 },
  '1,000,000 meetings': { meetings: 1_000_000, own: 0, tenants: 1 },
  '10,000 tenants, 10,000 meetings': { meetings: 10_000, own: 0, tenants: 10_000 }
}

interface Grown {
  name: string
  meetings: number
  seeded: Seeded
  server: Served
  sharedUs: number[]
  ownUs: number[]
}

/** Whether a read costs more when the store holds more. */
export async function growth(
  { folder, teardown }: Scene,
  generator: Generator,
  { reads, rounds } = { reads: 5_000, rounds: 3 }
): Promise<string> {
  const vendor = await startVendor(folder)
  teardown(() => vendor.stop())
  const grown: Grown[] = []
  for (const [name, size] of Object.entries(stores)) {
    const seeded = await seed(join(folder, name.replaceAll(/\W+/g, '-')), size)
    // The first start makes keys and files; what counts is any other.
    await (await serveLivegate({ name, vendorUrl: vendor.url, seeded })).stop()
    const server = await serveLivegate({ name, vendorUrl: vendor.url, seeded })
    teardown(() => server.stop())
    grown.push({ name, meetings: size.meetings, seeded, server, sharedUs: [], ownUs: [] })
    console.log(`the store with ${name} is made`)
  }
  const idle = grown.map(({ server }) => server.rssBytes())
  const measure = async ({ server, seeded }: Grown, meetings: number, keys: string[]): Promise<number> => {
    const before = server.cpuNs()
    const result = await generator.run({ url: server.url, what: 'read', count: reads, connections, keys, meetings })
    if (result.failed > 0) throw new Error(`${seeded.folder}: ${result.wrong.join('; ')}`)
    await sleep(400)
    return (server.cpuNs() - before) / 1_000 / result.checked
  }
  for (let round = 0; round <= rounds; round++) {
    for (const one of grown) {
      const { keys } = one.seeded
      const shared = await measure(one, 1, keys.slice(0, 1))
      // All have the same load, since code that has run more is cheaper.
      const own = await measure(one, Math.min(one.meetings, 10_000), keys)
      if (round === 0) continue
      one.sharedUs.push(shared)
      // With few meetings all reads of a second are one: there is nothing to compare.
      if (one.meetings >= 10_000) one.ownUs.push(own)
    }
  }
  const us = (values: number[]): string => (values.length === 0 ? '–' : median(values).toFixed(0))
  const lines = grown.map(({ name, server, sharedUs, ownUs }, i) => {
    const [before, after] = [idle[i] ?? 0, server.rssBytes()].map(bytes => `${grouped(bytes / 1e6)} MB`)
    return [name, us(sharedUs), us(ownUs), `${server.startMs.toFixed(0)} ms`, before ?? '', after ?? '']
  })
  const head = [
    'in the store',
    'CPU µs, read of one meeting',
    'each of another',
    'start-up',
    'memory idle',
    'after the load'
  ]
  return table(head, lines)
}
