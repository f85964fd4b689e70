import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Generator } from '../support/bench/generator.ts'
import { seed, serveLivegate } from '../support/bench/livegate.ts'
import type { Served } from '../support/bench/process.ts'
import { type Profile, sampleUs } from '../support/bench/sampling.ts'
import type { Scene } from '../support/bench/scene.ts'
import { startVendor } from '../support/bench/vendor.ts'
import { connections, type ScenarioName, scenarios } from './scenarios.ts'
import { table } from './tables.ts'

const profiled: ScenarioName[] = ['coalesced', 'uncoalesced', 'pairs', 'unauthorized', 'throttled']
const size = { rounds: 1, reads: 20_000, changes: 4_096, meetings: 10_000, settleMs: 500 }
const rowsShown = 22

/** Where the microseconds of each scenario go: threads, then packages and rooms of the main thread, then its functions. */
export async function profile({ folder, teardown }: Scene, generator: Generator): Promise<string> {
  const vendor = await startVendor(folder)
  teardown(() => vendor.stop())
  const seeded = await seed(join(folder, 'profile'), { meetings: size.meetings, own: connections, tenants: 1 })
  const server = await serveLivegate({ name: 'profile', vendorUrl: vendor.url, seeded, probe: true })
  teardown(() => server.stop())
  const parts: string[] = []
  for (const name of profiled) {
    const job = scenarios[name].job(server.url, seeded, size)
    await generator.run(job)
    const before = server.threadsNs()
    const { checked } = await generator.run(job)
    await sleep(size.settleMs)
    const threads = threadTable(server, before, checked)
    await server.ask<string>('start profile')
    const again = await generator.run(job)
    await sleep(size.settleMs)
    const found = await server.ask<Profile>('end profile')
    const [rooms, functions] = shares(found, again.checked)
    const us = 'CPU µs a request'
    const top = (of: Map<string, number>): string[][] =>
      [...of]
        .sort(([, a], [, b]) => b - a)
        .slice(0, rowsShown)
        .map(([what, value]) => [what, value.toFixed(1)])
    parts.push(
      `### ${scenarios[name].name}`,
      table(['thread', us], threads),
      table(['of the main thread', us], top(rooms)),
      table(['function, without what it calls', us], top(functions))
    )
    console.log(`profile of ${scenarios[name].name} is done`)
  }
  return parts.join('\n\n')
}

function threadTable(server: Served, before: Record<string, number>, requests: number): string[][] {
  const spent = Object.entries(server.threadsNs()).map(
    ([name, ns]) => [name, (ns - (before[name] ?? 0)) / 1_000 / requests] as const
  )
  return spent.filter(([, us]) => us >= 0.5).map(([name, us]) => [name, us.toFixed(1)])
}

/** Microseconds for each request, by room or package and by function. */
function shares(
  { nodes, samples = [], timeDeltas = [] }: Profile,
  requests: number
): [Map<string, number>, Map<string, number>] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const rooms = new Map<string, number>()
  const functions = new Map<string, number>()
  samples.forEach((id, i) => {
    const { functionName = '', url = '', lineNumber = 0 } = frames.get(id) ?? {}
    if (functionName === '(idle)' || url.startsWith('node:inspector')) return
    // The clock of the samples goes on while others have the core: what is longer than two of them was not ours.
    const us = Math.min(Math.max(0, timeDeltas[i] ?? 0), 2 * sampleUs) / requests
    const { room, file } = placeOf(url)
    const native = room === 'native'
    const name = native ? functionName : `${functionName || '(anonymous)'} (${file}:${lineNumber + 1})`
    const where = native ? functionName : room
    rooms.set(where, (rooms.get(where) ?? 0) + us)
    functions.set(name, (functions.get(name) ?? 0) + us)
  })
  return [rooms, functions]
}

function placeOf(url: string): { room: string; file: string } {
  if (url === '') return { room: 'native', file: '' }
  const [, room = ''] = /^node:(?:internal\/)?([^/]+)/.exec(url) ?? []
  if (room !== '') return { room: `node:${room}`, file: url }
  const [, name = '', rest = ''] = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)(.*)$/.exec(url) ?? []
  if (name !== '') return { room: name, file: `${name}/${rest}` }
  const [, file = url] = /\/(src\/.*)$/.exec(url) ?? []
  return { room: file.split('/').slice(0, 2).join('/'), file }
}
