import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { grouped, median } from '../support/bench/figures.ts'
import type { Generator } from '../support/bench/generator.ts'
import { inProduction, seed, serveLivegate, type Way } from '../support/bench/livegate.ts'
import { cpuOfProcessMs } from '../support/bench/process.ts'
import type { Scene } from '../support/bench/scene.ts'
import { startVendor } from '../support/bench/vendor.ts'
import { connections } from './scenarios.ts'
import { table } from './tables.ts'

const idleMs = 3_000

/** CPU of a start, and memory of a gateway, with what each measure brings to them. All take turns, since the machine is shared. */
export async function footprint(
  { folder }: Scene,
  generator: Generator,
  { starts, changes } = { starts: 10, changes: 30_000 }
): Promise<string> {
  const way = inProduction()
  const { program, nodeArgs, env } = way
  const { NODE_COMPILE_CACHE: _, ...malloc } = env
  const ways: { name: string; way: Way; tenants?: number }[] = [
    { name: 'the sources, no flags', way: { program: 'src/cli.ts' } },
    { name: 'the build', way: { program } },
    { name: '… with one malloc arena that gives back', way: { program, env: malloc } },
    { name: '… and the flags of Node', way: { program, nodeArgs, env: malloc } },
    { name: '… and what Node compiled: as it is started', way },
    { name: 'the same with 10,000 tenants', way, tenants: 10_000 }
  ]
  const stores = await Promise.all(
    ways.map(({ tenants = 1 }, i) => seed(join(folder, `store-${i}`), { meetings: tenants, own: connections, tenants }))
  )
  const cpuMs: number[][] = ways.map(() => [])
  const memory: string[][] = ways.map(() => [])
  // The first start of each makes its keys and files; the last has the load.
  for (let round = 0; round <= starts; round++) {
    for (const [i, { name, way }] of ways.entries()) {
      const seeded = stores[i] as (typeof stores)[number]
      // A vendor of its own: livestreams of the way before would be live still.
      const vendor = await startVendor(folder)
      const server = await serveLivegate({ way, name: `way-${i}`, vendorUrl: vendor.url, seeded })
      try {
        while ((await fetch(`${server.url}/readyz`)).status !== 200) await sleep(5)
        if (round > 0) cpuMs[i]?.push(cpuOfProcessMs(server.pid))
        if (round < starts) continue
        await sleep(idleMs)
        const idle = server.rssBytes()
        const before = server.cpuNs()
        const job = { url: server.url, count: changes, connections, keys: seeded.keys, meetings: connections }
        const { failed, wrong } = await generator.run({ ...job, what: 'pair' })
        for (const line of wrong) console.log(`${name}: ${line}`)
        const us = (server.cpuNs() - before) / 1_000 / changes
        memory[i]?.push(
          ...[idle, server.rssBytes()].map(bytes => (bytes / 1e6).toFixed(0)),
          us.toFixed(0),
          String(failed)
        )
      } finally {
        await server.stop()
        await vendor.stop()
      }
    }
  }
  const lines = ways.map(({ name }, i) => [name, median(cpuMs[i] ?? []).toFixed(0), ...(memory[i] ?? [])])
  const head = [
    'way to run it',
    'CPU ms to ready',
    `RSS MB, ${idleMs / 1_000} s after the start`,
    `after ${grouped(changes)} starts and stops`,
    'CPU µs each',
    'wrong answers'
  ]
  return `Median of ${starts} starts.\n\n${table(head, lines)}`
}
