import { join } from 'node:path'
import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import { presets } from '../../../src/domain/scope.ts'
import { createSimulator, type Simulator } from '../../../src/simulator/simulator.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { type Running, startProcess } from '../cli.ts'
import { environmentOf } from '../config.ts'
import { addKey, addTenant, client, type TestContext } from '../gateway.ts'
import { openSnapshot, openStoreHere } from '../store.ts'
import { until } from '../until.ts'
import type { LoadTenant } from './crash-load.ts'

/** A gateway as a process of its own. */
export interface Serving {
  process: Running
  /** Its address, as soon as it is ready. */
  ready(): Promise<string>
}

export interface CrashWorld {
  simulator: Simulator
  tenants: LoadTenant[]
  env: Record<string, string>
  /** Another gateway on the same store: it waits for the one that serves. */
  start(): Serving
  /** At the very moment at which the vendor next hears of a mutation. */
  nextMutation(): Promise<void>
  /** Gives the events that have come into the log since it was asked last. */
  newEvents(): Promise<AuditEvent[]>
}

const tenantIds = ['acme', 'globex', 'initech', 'umbrella', 'hooli']
const meetingsEach = 30

/** A vendor, and a store with tenants whose meetings have all been live once. */
export async function crashWorld(t: TestContext): Promise<CrashWorld> {
  const simulator = await createSimulator({ liveAfterMs: 0, journalLimit: 1_000_000 })
  t.teardown(() => simulator.close())
  const folder = t.testdir()
  const storeFile = join(folder, 'livegate.db')
  const tenants = await fillStore(storeFile, simulator)

  const plenty = '1000000/60'
  const env = {
    DATABASE_URL: `sqlite:${storeFile}`,
    ...environmentOf(simulator),
    PORT: '0',
    LIVEGATE_AUDIT_READS: 'all',
    LIVEGATE_READ_LIMIT: plenty,
    LIVEGATE_WRITE_LIMIT: plenty,
    LIVEGATE_ADDRESS_LIMIT: plenty,
    LIVEGATE_DEADLINE_MS: '2000',
    LIVEGATE_SETTLE_MS: '2500',
    LIVEGATE_SHUTDOWN_MS: '60000'
  }
  const start = (): Serving => {
    const process = startProcess(t, ['serve'], env)
    const ready = async (): Promise<string> => {
      const [, url = ''] = await process.line(/"url":"([^"]+)".*"msg":"livegate listens"/)
      await until(async () => (await client(url, null)('GET', '/readyz')).statusCode === 200)
      return url
    }
    return { process, ready }
  }

  // The first stop of a meeting that never was live would be a refusal like many others. This gateway ends in peace, and so
  // leaves its compiled code to those that don't.
  const first = start()
  const url = await first.ready()
  await Promise.all(
    tenants.map(async ({ key, meetings }) => {
      const ask = client(url, `Bearer ${key}`)
      for (const meeting of meetings) await ask('POST', `/v2/meetings/${meeting}/livestreams`)
    })
  )
  first.process.signal('SIGTERM')
  await first.process.ended
  // From now on an answer takes its time, so that many calls are under way at every moment.
  simulator.fail({ match: { method: 'POST' }, delayMs: 5 })
  simulator.fail({ match: { method: 'PATCH' }, delayMs: 5, afterWork: true })

  let seen = 0
  const newEvents = async (): Promise<AuditEvent[]> => {
    const snapshot = await openSnapshot(storeFile)
    const events: AuditEvent[] = []
    for await (const some of auditEventsIn(snapshot).walk({ afterSeq: seen })) {
      for (const { seq, event } of some) {
        events.push(JSON.parse(event) as AuditEvent)
        seen = seq
      }
    }
    await snapshot.close()
    return events
  }
  await newEvents()
  return { simulator, tenants, env, start, nextMutation: watch(simulator), newEvents }
}

/** The journal itself tells: to look at it now and then would be too late. */
function watch({ journal }: Simulator): () => Promise<void> {
  let tell = (): void => {}
  const push = journal.push.bind(journal)
  journal.push = (...entries) => {
    if (entries.some(({ method }) => method !== 'GET')) tell()
    return push(...entries)
  }
  return () =>
    new Promise(resolve => {
      tell = resolve
    })
}

async function fillStore(file: string, simulator: Simulator): Promise<LoadTenant[]> {
  const store = await openStoreHere(file)
  const foreign = simulator.addMeeting().id
  await addTenant(store, 'stranger', foreign)
  const tenants: LoadTenant[] = []
  for (const id of tenantIds) {
    const meetings = Array.from({ length: meetingsEach }, () => simulator.addMeeting().id)
    await addTenant(store, id, ...meetings)
    tenants.push({ key: (await addKey(store, id, presets.owner)).key, meetings, foreign })
  }
  await store.close()
  return tenants
}
