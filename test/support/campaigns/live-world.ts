import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { gatewayBehindDoor, type WorldWithDoor } from '../broadcast/door.ts'
import { gateway, type Reply, type TestContext, type World, type WorldOptions } from '../gateway.ts'

export interface LiveWorld extends World {
  /** Meetings of acme that are live. */
  live: string[]
}

/** A gateway with five live meetings of acme. */
export function liveWorld(t: TestContext): Promise<LiveWorld> {
  return madeLive(options => gateway(t, { threads: true, ...options }))
}

/** The same, and the test decides when the vendor hears of something. */
export function liveWorldBehindDoor(t: TestContext): Promise<LiveWorld & WorldWithDoor> {
  return madeLive(options => gatewayBehindDoor(t, options))
}

async function madeLive<Made extends World>(make: (options: WorldOptions) => Promise<Made>): Promise<Made & LiveWorld> {
  const live: string[] = []
  const world = await make({
    async before(store, simulator) {
      live.push(...Array.from({ length: 5 }, () => simulator.addMeeting().id))
      await meetingsIn(store).assign('acme', 'default', live, Date.now())
    }
  })
  const start = (id: string): Promise<Reply> => world.asAcme('POST', `/v2/meetings/${id}/livestreams`)
  await Promise.all(live.map(start))
  return { ...world, live }
}

export async function timed(asked: Promise<Reply>): Promise<{ reply: Reply; ms: number }> {
  const startedAtMs = performance.now()
  const reply = await asked
  return { reply, ms: Math.round(performance.now() - startedAtMs) }
}

export async function degraded({ as }: World): Promise<string[]> {
  return (await as(null)('GET', '/readyz')).json().degraded
}

/** The events in the store, without asking the gateway to hurry. */
export async function written({ store }: World): Promise<AuditEvent[]> {
  const rows = await store.engine.read(store.sql.selectFrom('audit_events').select('event').orderBy('seq').compile())
  return rows.map(({ event }) => JSON.parse(event) as AuditEvent)
}

export function outcomesOf(events: AuditEvent[], requestId: string): string[] {
  return events.filter(({ metadata }) => metadata.correlation_uid === requestId).map(({ unmapped }) => unmapped.outcome)
}

/** The events of a call that the operational log carries whole: one that is late, and then refused, counts once. */
export function loggedOf({ logs }: World, requestId: string): string[] {
  const lines = logs()
    .split('\n')
    .filter(line => line.includes('"audit_event":'))
  const outcomes = outcomesOf(
    lines.map(line => JSON.parse(line).audit_event as AuditEvent),
    requestId
  )
  return [...new Set(outcomes)]
}

/** Operations of which nobody knows yet what became of them. */
export async function reconcileLoop({ store }: World): Promise<unknown[]> {
  const query = store.sql.selectFrom('operations').select(['kind', 'state']).where('state', 'in', ['sent', 'unknown'])
  return store.engine.read(query.compile())
}

/** The calls to the vendor since then, but questions. */
export function mutationsSince({ simulator }: World, calls: number): string[] {
  const mutations = simulator.journal.slice(calls).filter(({ method }) => method !== 'GET')
  return mutations.map(({ method, target }) => `${method} ${target}`)
}
