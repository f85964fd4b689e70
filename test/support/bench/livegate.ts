import { mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { makeKey } from '../../../src/domain/api-key.ts'
import { presets } from '../../../src/domain/scope.ts'
import { nextRevision, thisRevision } from '../../../src/store/schema/database.ts'
import { openStoreHere, type Store } from '../../../src/store/store.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { addKey, addTenant } from '../gateway.ts'
import { builtOnce } from '../runner/built.ts'
import { type MeetingKind, meetingId } from './ids.ts'
import { type Served, serve } from './process.ts'

export interface Seed {
  /** Meetings that are live for ever, shared out among the tenants. */
  meetings: number
  /** Meetings of the first tenant, to be started and stopped. */
  own: number
  tenants: number
}

export interface Seeded {
  folder: string
  storeFile: string
  /** The key of each tenant: tenant i holds the meetings i, i + tenants, … */
  keys: string[]
  /** A key of a tenant that may read once in a day. */
  throttledKey: string
  /** Well-formed, and nobody's. */
  strangersKey: string
}

const rowsAtOnce = 2_000

/** Makes a store with tenants, keys and meetings, as the command line would. */
export async function seed(folder: string, { meetings, own, tenants }: Seed): Promise<Seeded> {
  mkdirSync(folder, { recursive: true })
  const storeFile = join(folder, 'livegate.db')
  const store = await openStoreHere(storeFile)
  try {
    const keys: string[] = []
    for (let i = 0; i < tenants; i++) {
      await addTenant(store, `tenant-${i}`)
      keys.push((await addKey(store, `tenant-${i}`, presets.operator)).key)
    }
    await addMeetings(store, 'read', meetings, tenants)
    // The generator sends key i for meeting i in both kinds.
    await addMeetings(store, 'own', own, tenants)
    await addTenant(store, 'throttled')
    const readLimit = { calls: 1, seconds: 86_400, burst: 1 }
    await tenantsIn(store).update('throttled', { readLimit }, Date.now())
    const throttled = await addKey(store, 'throttled', presets.viewer)
    const strangersKey = makeKey().key.reveal()
    return { folder, storeFile, keys, throttledKey: throttled.key, strangersKey }
  } finally {
    await store.close()
  }
}

async function addMeetings({ engine, sql }: Store, kind: MeetingKind, count: number, tenants: number): Promise<void> {
  const unseen = { upstream: 'default', title: null, snapshot: null, observed_at: null, released_at: null }
  const created_at = Date.now()
  for (let from = 0; from < count; from += rowsAtOnce) {
    const rows = Array.from({ length: Math.min(rowsAtOnce, count - from) }, (_, i) => ({
      ...{ ...unseen, created_at, revision: thisRevision() },
      id: meetingId(kind, from + i),
      tenant_id: `tenant-${(from + i) % tenants}`
    }))
    await engine.write([nextRevision(sql), sql.insertInto('meetings').values(rows).compile()])
  }
}

export interface LivegateOptions {
  name: string
  vendorUrl: string
  seeded: Seeded
  env?: Record<string, string>
  /** Default: as it is started in production. */
  way?: Way
  probe?: boolean
}

/** One way to run the same gateway. */
export interface Way {
  program: string
  nodeArgs?: readonly string[]
  env?: Readonly<Record<string, string>>
}

/** As `src/livegate.sh` starts it: the build, with the flags of Node and the settings of malloc that are there, and what Node compiled before. */
export function inProduction(): Required<Way> {
  const script = readFileSync('src/livegate.sh', 'utf8')
  const [, flags = ''] = /^flags='(.*)'$/m.exec(script) ?? []
  const malloc = [...script.matchAll(/^export (MALLOC_\w+)=.*:-(\d+)\}"$/gm)].map(([, name, value]) => [name, value])
  const [program, compiled] = [resolve(builtOnce(), 'lib/cli.js'), resolve(builtOnce(), 'compiled')]
  return { program, nodeArgs: flags.split(' '), env: { ...Object.fromEntries(malloc), NODE_COMPILE_CACHE: compiled } }
}

const plenty = '1000000/1'

/** `livegate serve` with everything on; only its limits are out of the way. */
export function serveLivegate({
  name,
  vendorUrl,
  seeded,
  env = {},
  way = inProduction(),
  probe = false
}: LivegateOptions): Promise<Served> {
  return serve({
    name,
    folder: seeded.folder,
    args: [...(way.nodeArgs ?? []), way.program, 'serve'],
    probe,
    env: {
      PORT: '0',
      DATABASE_URL: `sqlite:${seeded.storeFile}`,
      DYTE_BASE_URL: `${vendorUrl}/v2`,
      DYTE_ORG_ID: 'org',
      DYTE_API_KEY: 'key',
      LIVEGATE_READ_LIMIT: plenty,
      LIVEGATE_WRITE_LIMIT: plenty,
      LIVEGATE_ADDRESS_LIMIT: plenty,
      LIVEGATE_UPSTREAM_BUDGET: '1000000/1',
      LIVEGATE_MAX_IN_FLIGHT: '100000',
      // Calls of the vendor are counted, and those of its own belong to no request.
      LIVEGATE_RECONCILE_MS: '0',
      ...way.env,
      ...env
    }
  })
}
