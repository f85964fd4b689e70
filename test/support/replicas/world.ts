/** Several gateways that serve one store in PostgreSQL, in front of one simulated vendor. */
import { dirname, join } from 'node:path'
import { Writable } from 'node:stream'
import type { Config } from '../../../src/config/config.ts'
import { presets } from '../../../src/domain/scope.ts'
import type { Quota } from '../../../src/domain/values/quota.ts'
import { type Gateway, startGateway } from '../../../src/gateway.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import { createSimulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { checkAuditLog } from '../audit-log.ts'
import { type Client, client } from '../client.ts'
import { configFor } from '../config.ts'
import { addKey, addTenant } from '../gateway.ts'
import { inMemory } from '../in-memory.ts'
import { databaseOf, openPostgresHere } from '../postgres/stores.ts'
import type { TestContext } from '../test-context.ts'
import { keysOfReplicas } from './processes.ts'

export interface ReplicaWorldOptions {
  simulator?: SimulatorOptions
  config?: Partial<Config>
  /** Records may take as long as in production, and no longer. */
  isPunctual?: boolean
  /** The vendor's quota as Livegate is told. */
  quota?: Quota
  /** Longest time for an answer of Valkey. */
  valkeyWithinMs?: number
}

/** A gateway of several. */
export interface Peer extends Gateway {
  /** With a key of acme's, of the preset `owner`. */
  asAcme: Client
  logs(): string
}

/** A store for three gateways at most, of which none runs yet. */
export async function replicaWorld(t: TestContext, options: ReplicaWorldOptions = {}) {
  const storeFile = join(inMemory(t).testdir(), 'livegate.db')
  const simulator = await createSimulator({ liveAfterMs: 0, ...options.simulator })
  t.teardown(() => simulator.close())
  const store = await openPostgresHere(storeFile)
  t.teardown(() => store.close())
  const meeting = simulator.addMeeting({ title: 'Friday show' }).id
  await addTenant(store, 'acme', meeting)
  const { id: keyId, key } = await addKey(store, 'acme', presets.owner)
  const dataDir = dirname(storeFile)
  await keysOfReplicas(storeFile)
  const home = await databaseOf(storeFile)
  t.teardown(() => checkAuditLog(store, { "acme's key": key.slice(17, -6) }))

  async function start(how: Partial<Config> = {}): Promise<Peer> {
    let log = ''
    const destination = new Writable({
      write(chunk, _encoding, done) {
        log += chunk
        done()
      }
    })
    const auditKeys = { dataDir, areMade: false }
    const config = { ...configFor(simulator, storeFile), home, auditKeys, replicas: 3, ...options.config, ...how }
    const { quota } = options
    const upstreams = config.upstreams.map(account => ({ ...account, ...(quota !== undefined && { quota }) }))
    const running = await startGateway({
      config: { ...config, upstreams },
      logger: makeLogger(config.logLevel, destination),
      ...(!options.isPunctual && { writeWithinMs: 60_000 }),
      timing: { now: () => 0, after: () => () => {} },
      ...(options.valkeyWithinMs !== undefined && { valkeyWithinMs: options.valkeyWithinMs }),
      webhookWay: { resolve: async () => [] }
    })
    t.teardown(() => running.close())
    return { ...running, asAcme: client(running.url, `Bearer ${key}`), logs: () => log }
  }

  return {
    simulator,
    store,
    storeFile,
    authorization: `Bearer ${key}`,
    home,
    meeting,
    keyId,
    start,
    startAll: (count: number) => Promise.all(Array.from({ length: count }, () => start())),
    /** Calls of the vendor that change something, as `METHOD target`. */
    mutations: () =>
      simulator.journal.filter(({ method }) => method !== 'GET').map(({ method, target }) => `${method} ${target}`)
  }
}
