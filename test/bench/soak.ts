import { join } from 'node:path'
import { grouped } from '../support/bench/figures.ts'
import type { Generator } from '../support/bench/generator.ts'
import { seed, serveLivegate } from '../support/bench/livegate.ts'
import type { Health } from '../support/bench/probe.ts'
import type { Scene } from '../support/bench/scene.ts'
import { startVendor } from '../support/bench/vendor.ts'
import { connections } from './scenarios.ts'
import { table } from './tables.ts'

/** A long run of all kinds of calls while two of a hundred vendor calls fail: whether anything grows. */
export async function soak({ folder, teardown }: Scene, generator: Generator, calls = 1_000_000): Promise<string> {
  const vendor = await startVendor(folder)
  teardown(() => vendor.stop())
  const seeded = await seed(join(folder, 'soak'), { meetings: 10_000, own: connections, tenants: 1 })
  const server = await serveLivegate({ name: 'soak', vendorUrl: vendor.url, seeded, probe: true })
  teardown(() => server.stop())
  const { keys } = seeded
  const lines: string[][] = []
  const statuses: Record<string, number> = {}
  const steps = 10
  let failed = 0
  for (let step = 0; step <= steps; step++) {
    if (step > 0) {
      await vendor.set({ faultEvery: 50 })
      const job = { url: server.url, count: calls / steps, connections, keys, meetings: 10_000, faulty: true }
      const result = await generator.run({ ...job, what: 'mixed' })
      failed += result.failed
      for (const wrong of result.wrong) console.log(wrong)
      for (const [status, count] of Object.entries(result.statuses)) statuses[status] = (statuses[status] ?? 0) + count
    }
    const { heapBytes, rssBytes, loopDelayP99Ms, resources } = await server.ask<Health>('health')
    const megabytes = [heapBytes, rssBytes].map(bytes => (bytes / 1e6).toFixed(1))
    const held = Object.entries(resources).map(([name, count]) => `${name} ${count}`)
    lines.push([grouped((calls / steps) * step), ...megabytes, loopDelayP99Ms.toFixed(1), held.join(', ')])
    console.log(lines.at(-1)?.join('  '))
  }
  const told = Object.entries(statuses).map(([status, count]) => `${status}: ${grouped(count)}`)
  const head = ['calls so far', 'heap after collection, MB', 'RSS, MB', 'event loop p99, ms', 'held']
  return `${table(head, lines)}\n\nAnswers: ${told.join(', ')}; ${failed} of them wrong.`
}
