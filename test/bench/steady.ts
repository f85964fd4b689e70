import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { grouped } from '../support/bench/figures.ts'
import { type Generator, startGenerator } from '../support/bench/generator.ts'
import { seed, serveLivegate } from '../support/bench/livegate.ts'
import type { Scene } from '../support/bench/scene.ts'
import { ownBytes } from '../support/bench/served.ts'
import { startVendor } from '../support/bench/vendor.ts'
import { connections } from './scenarios.ts'
import { table } from './tables.ts'

const readsPerSecond = 300
const changesPerSecond = 20
/** A container of this size, with no swap, is to carry it. */
const containerMb = 256

/** Memory of a gateway that has nothing to do for ten minutes, and then has a steady load for ten: its peak, and whether it settles. */
export async function steady(
  { folder, teardown }: Scene,
  reader: Generator,
  { minutes, everyMinutes } = { minutes: 10, everyMinutes: 2 }
): Promise<string> {
  const vendor = await startVendor(folder)
  teardown(() => vendor.stop())
  const seeded = await seed(join(folder, 'steady'), { meetings: 1_000, own: connections, tenants: 1 })
  // Its lists of what runs too: they belong to the load.
  const env = { LIVEGATE_RECONCILE_MS: '30000' }
  const server = await serveLivegate({ name: 'steady', vendorUrl: vendor.url, seeded, env })
  teardown(() => server.stop())
  const changer = startGenerator()
  teardown(() => changer.stop())
  const lines: string[][] = []
  const note = (when: string): void => {
    lines.push([
      when,
      ...[server.rssBytes(), server.peakBytes(), ownBytes(server.pid)].map(bytes => (bytes / 1e6).toFixed(0))
    ])
    console.log(lines.at(-1)?.join('  '))
  }
  const stepMs = everyMinutes * 60_000
  await sleep(5_000)
  note('idle, after 5 s')
  await sleep(minutes * 60_000)
  note(`idle, after ${minutes} min`)
  const job = { url: server.url, connections, keys: seeded.keys }
  let [calls, failed] = [0, 0]
  for (let minute = everyMinutes; minute <= minutes; minute += everyMinutes) {
    const count = (perSecond: number): number => Math.ceil((perSecond * stepMs) / 64_000) * 64
    const results = await Promise.all([
      reader.run({ ...job, what: 'read', count: count(readsPerSecond), rate: readsPerSecond, meetings: 1_000 }),
      changer.run({
        ...job,
        what: 'pair',
        count: count(changesPerSecond),
        rate: changesPerSecond,
        meetings: connections
      })
    ])
    for (const result of results) {
      calls += result.checked
      failed += result.failed
      for (const wrong of result.wrong) console.log(wrong)
    }
    note(`after ${minute} min of load`)
  }
  const what = `${readsPerSecond} reads and ${changesPerSecond} starts or stops a second, ${grouped(calls)} calls, ${failed} of them wrong.`
  const bar = `The peak is to stay below a container of ${containerMb} MB (${((containerMb * 2 ** 20) / 1e6).toFixed(0)} in these units).`
  return `${what} ${bar}\n\n${table(['when', 'RSS, MB', 'peak so far, MB', 'of its own (RssAnon), MB'], lines)}`
}
