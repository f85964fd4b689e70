import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Generator } from '../support/bench/generator.ts'
import { seed } from '../support/bench/livegate.ts'
import type { Served } from '../support/bench/process.ts'
import type { Scene } from '../support/bench/scene.ts'
import { startVendor, type Vendor } from '../support/bench/vendor.ts'
import { type Contender, contenders } from './contenders.ts'
import { connections, type ScenarioName, type Size, scenarioNames, scenarios, vendorCallsEach } from './scenarios.ts'

/** The measurements of one contender. */
export interface Row {
  contender: string
  /** CPU of the server, microseconds for each request, round by round. */
  cpuUs: Partial<Record<ScenarioName, number[]>>
  vendorCalls: Partial<Record<ScenarioName, number>>
  checked: number
  failed: number
  wrong: string[]
  idleBytes: number
  afterBytes: number
}

export interface Running {
  contender: Contender
  server: Served
  row: Row
}

export interface Field {
  vendor: Vendor
  running: Running[]
}

/** Starts the vendor and everybody, each in a process of its own. They all stay up: who waits costs nothing. */
export async function startAll({ folder, teardown }: Scene, size: Size): Promise<Field> {
  const vendor = await startVendor(folder)
  teardown(() => vendor.stop())
  const { meetings } = size
  const rows = { meetings, own: connections, tenants: 1 }
  const store = (name: string) => seed(join(folder, name), rows)
  const stores = { rollup: await store('rollup'), all: await store('all'), metrics: await store('metrics') }
  const running: Running[] = []
  for (const contender of contenders(folder, vendor.url, stores)) {
    const server = await contender.start()
    teardown(() => server.stop())
    await sleep(size.settleMs)
    const nothing = { cpuUs: {}, vendorCalls: {}, checked: 0, failed: 0, wrong: [], afterBytes: 0 }
    running.push({ contender, server, row: { contender: contender.name, ...nothing, idleBytes: server.rssBytes() } })
  }
  return { vendor, running }
}

/** A confirmed stop is followed after 5 s (`lifecycle/running/ending-runs.ts`). */
const followUpMs = 6_000

/** Everybody in turn, scenario by scenario and round by round, so that whatever else the machine does hits all alike. */
export async function compare({ vendor, running }: Field, generator: Generator, size: Size): Promise<Row[]> {
  for (let round = 0; round <= size.rounds; round++) {
    for (const name of scenarioNames) {
      for (const one of running) {
        if (scenarios[name].oursOnly && !one.contender.ours) continue
        // The first round is for warming up: caches, compilers, connections.
        await measure(one, name, { vendor, generator, size, counts: round > 0 })
        // Livegate looks at a meeting once more after its last stop: that is no call of whoever is measured next.
        if (name === 'pairs' && one.contender.ours) await sleep(followUpMs)
      }
    }
    if (round > 0) console.log(`round ${round} of ${size.rounds} is done`)
  }
  for (const { row, server } of running) row.afterBytes = server.rssBytes()
  return running.map(({ row }) => row)
}

interface Measuring {
  vendor: Vendor
  generator: Generator
  size: Size
  counts: boolean
}

async function measure({ contender, server, row }: Running, name: ScenarioName, given: Measuring): Promise<void> {
  const { vendor, generator, size, counts } = given
  await vendor.set({})
  const before = server.cpuNs()
  const result = await generator.run(scenarios[name].job(server.url, contender.seeded, size))
  if (!counts) return
  await sleep(size.settleMs)
  const cpuUs = (server.cpuNs() - before) / 1_000 / result.checked
  row.cpuUs[name] = [...(row.cpuUs[name] ?? []), cpuUs]
  row.vendorCalls[name] = vendorCallsEach(await vendor.counts(), result.checked)
  row.checked += result.checked
  row.failed += result.failed
  row.wrong.push(...result.wrong)
}
