/** Durable commits with PostgreSQL beside SQLite: `npm run -s bench:postgres`. The figures are in docs/postgres.md. */
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openPostgres } from '../../src/store/postgres/postgres.ts'
import { sqlFor } from '../../src/store/schema/database.ts'
import { migrate } from '../../src/store/schema/migrations.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { auditEventsIn } from '../../src/store/tables/audit/audit-events.ts'
import { grouped, loop, median, milliseconds, perSecond, report } from '../support/bench/figures.ts'
import { scene } from '../support/bench/scene.ts'
import { newDatabase, sharedPostgres } from '../support/postgres/stores.ts'
import { eventOf } from '../support/store/helper.ts'
import { wayTo } from '../support/way.ts'

const forMs = 3_000
const warmMs = 1_000

/** Microseconds of CPU that this process has used, and a server with its own. */
type Used = () => { own: number; server: number }

/** Transactions of two events, as a mutation writes them. */
async function measure(name: string, store: Store, used: Used): Promise<void> {
  const { append } = auditEventsIn(store)
  const one = () => store.engine.write([append(eventOf({ requestId: randomUUID() })), append(eventOf())])
  for (const writers of [1, 60]) {
    await loop(writers, warmMs, one)
    const before = used()
    const took = await loop(writers, forMs, one)
    const after = used()
    const each = (what: 'own' | 'server') => `${grouped((after[what] - before[what]) / took.length)} µs`
    const rate = grouped(perSecond(took.length, forMs))
    const text = `${rate}/s, median ${milliseconds(median(took))}; CPU ${each('own')}, the server's ${each('server')}`
    report(`${name}, ${writers} at once`, text)
  }
}

const own = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** The clock ticks of a process and its children are hundredths of a second (proc(5)). */
function cpuOf(pid: number): number {
  const children = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean)
  const ticks = [pid, ...children].map(one => {
    const fields = readFileSync(`/proc/${one}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return Number(fields[11]) + Number(fields[12])
  })
  return ticks.reduce((sum, one) => sum + one, 0) * 10_000
}

await scene(async ({ folder }) => {
  const sqlite = await openStore(join(folder, 'livegate.db'))
  await measure('SQLite', sqlite, () => ({ own: own(), server: 0 }))
  await sqlite.close()
  const { port, pid } = await sharedPostgres('fsync=on')
  const way = await wayTo(port)
  for (const delayMs of [0, 2, 10]) {
    way.delay(delayMs)
    const home = await newDatabase()
    // Without a delay there is no way between, which would cost CPU too.
    const engine = await openPostgres(delayMs === 0 ? home : { ...home, port: way.port })
    const sql = sqlFor(engine.dialect)
    await migrate(engine, sql)
    await engine.serve()
    const store = { engine, sql, close: () => engine.close() }
    const used = () => ({ own: own(), server: cpuOf(pid()) })
    await measure(`PostgreSQL, ${delayMs} ms more for an answer`, store, used)
    await engine.close()
  }
  await way.close()
})
