/**
 * The way of a start, or of a stop, through `src`: `npm run trace -- start` prints its files in the order in which they are
 * entered first, with their functions. `--json` prints the figures alone.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Entered, enteredDuring, watchCalls } from '../support/entered.ts'

/** Figures of one way. */
export interface Way {
  /** Files of `src` from the route's handler on, without those of every request: the hooks and the server. */
  files: number
  /** So often a function of another file has called one of `broadcast/<kind>.ts`. */
  entries: number
}

const both = ['start', 'stop'] as const
type Kind = (typeof both)[number]
/** Timers enter other files meanwhile: a file counts that each of so many ways passes through. */
const rounds = 5
const ofEveryRequest = /^src\/(http|gateway)\/|^src\/[a-z]+\.ts$/

/** The functions that were entered from the handler on. */
function wayOf(entered: Entered[]): Entered[] {
  const handler = entered.findIndex(({ file }) => file.startsWith('src/routes/'))
  return entered.slice(handler).filter(({ file }) => !ofEveryRequest.test(file))
}

function filesOf(way: Entered[]): Set<string> {
  return new Set(way.map(({ file }) => file))
}

function print(way: Entered[]): void {
  for (const [file, calls] of Map.groupBy(way, ({ file }) => file)) {
    const names = new Set(calls.map(({ name }) => name))
    console.log(`${file}\n    ${[...names].join(', ')}`)
  }
  const rooms = Map.groupBy(filesOf(way), file => file.split('/')[1])
  console.log([...rooms].map(([room, files]) => `${room} ${files.length}`).join(', '))
}

async function main(args: string[]): Promise<void> {
  const kinds = args.filter(arg => arg === 'start' || arg === 'stop')
  if (kinds.length === 0) throw new Error('which way: start, or stop?')
  const folder = mkdtempSync(join(tmpdir(), 'livegate-trace-'))
  const ends: (() => unknown)[] = []
  watchCalls()
  const { gateway } = await import('../support/gateway.ts')
  const world = await gateway(
    { teardown: end => ends.push(end), testdir: () => folder },
    { threads: true, slowDisk: true }
  )
  const { meetingsIn } = await import('../../src/store/tables/meetings.ts')
  const call = (kind: Kind, meeting: string) =>
    world.asAcme('POST', `/v2/meetings/${meeting}/${kind === 'start' ? 'livestreams' : 'active-livestream/stop'}`)
  try {
    // Parts that are made at the first call of all are not on the way.
    for (const kind of both) await call(kind, world.meeting)
    const ways: Record<Kind, Entered[][]> = { start: [], stop: [] }
    for (let round = 0; round < rounds; round++) {
      const { id } = world.simulator.addMeeting({ title: `Round ${round}` })
      await meetingsIn(world.store).assign('acme', 'default', [id], Date.now())
      for (const kind of both) ways[kind].push(wayOf(await enteredDuring(() => call(kind, id))))
    }
    for (const kind of both.filter(kind => kinds.includes(kind))) {
      const [first = new Set<string>(), ...others] = ways[kind].map(filesOf)
      const passed = new Set([...first].filter(file => others.every(files => files.has(file))))
      const [shortest = []] = ways[kind].sort((a, b) => a.length - b.length)
      const way = shortest.filter(({ file }) => passed.has(file))
      const own = `src/lifecycle/broadcast/${kind}.ts`
      const entries = way.filter(({ file, from }) => file === own && from !== own).length
      const figures: Way = { files: filesOf(way).size, entries }
      if (!args.includes('--json')) print(way)
      console.log(JSON.stringify({ kind, ...figures }))
    }
  } finally {
    for (const end of ends.reverse()) await end()
    rmSync(folder, { recursive: true })
  }
}

await main(process.argv.slice(2))
