/**
 * The cost of Livegate beside other proxies: `npm run bench` measures all and writes docs/benchmarks.md; or some parts of it:
 * `npm run bench -- --profile`, `-- --smoke` (a short one that writes nothing), `-- compare growth soak`.
 */

import { type Generator, startGenerator } from '../support/bench/generator.ts'
import { type Scene, scene } from '../support/bench/scene.ts'
import { compare, startAll } from './compare.ts'
import { circumstances, writeSection } from './document.ts'
import { footprint } from './footprint.ts'
import { growth } from './growth.ts'
import { latency } from './latency.ts'
import { profile } from './profile.ts'
import { smoke } from './smoke.ts'
import { soak } from './soak.ts'
import { steady } from './steady.ts'
import { costTable, latencyTable, memoryTable, targetTable } from './tables.ts'

const size = { rounds: 5, reads: 6_000, changes: 2_048, meetings: 10_000, settleMs: 400 }

async function beside(here: Scene, generator: Generator): Promise<string> {
  const field = await startAll(here, size)
  const rows = await compare(field, generator, size)
  const added = await latency(field, generator, { calls: 640, meetings: size.meetings })
  for (const { contender, wrong } of rows) for (const line of wrong) console.log(`${contender}: ${line}`)
  return [targetTable(rows, added), costTable(rows), latencyTable(added), memoryTable(rows)].join('\n\n')
}

const parts: Record<string, (here: Scene, generator: Generator) => Promise<string>> = {
  compare: beside,
  async footprint(here, generator) {
    const starts = await footprint(here, generator)
    return `${starts}\n\n${await steady(here, generator)}`
  },
  growth: (here, generator) => growth(here, generator),
  soak: (here, generator) => soak(here, generator),
  profile
}

async function main(args: string[]): Promise<void> {
  const generator = startGenerator()
  try {
    if (args.includes('--smoke')) return await scene(here => smoke(here, generator))
    const asked = args.map(arg => arg.replace(/^--/, ''))
    for (const name of asked.length > 0 ? asked : ['compare', 'footprint', 'growth', 'soak', 'profile']) {
      const part = parts[name]
      if (part === undefined) throw new Error(`there is no part ${name}: ${Object.keys(parts).join(', ')}, or --smoke`)
      const text = await scene(here => part(here, generator))
      writeSection(name, `${circumstances()}\n\n${text}`)
      console.log(`\n${text}\n`)
    }
  } finally {
    generator.stop()
  }
}

await main(process.argv.slice(2))
