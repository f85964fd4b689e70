import { randomUUID } from 'node:crypto'
import type { Simulator } from '../../../src/simulator/simulator.ts'
import type { Store } from '../../../src/store/store.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { participantsIn } from '../../../src/store/tables/participants.ts'
import type { Client, Reply, World } from '../gateway.ts'
import { documentedRoutes, fill, type Ids } from './helper.ts'

/** An operation that changes something, with a body that it accepts, as the app's own document has both. */
export interface MutatingRoute {
  method: string
  path: string
  operationId: string
  body: object
}

/** Those that go to the vendor. */
export function vendorMutations(world: Pick<World, 'app'>): MutatingRoute[] {
  return mutatingRoutes(world).filter(({ path }) => path.startsWith('/v2/'))
}

/** All of them, so that a new one is in every matrix without a word. */
export function mutatingRoutes({ app }: Pick<World, 'app'>): MutatingRoute[] {
  const paths = app.swagger().paths as Record<string, Record<string, Documented>>
  return documentedRoutes(app)
    .filter(({ method }) => method !== 'GET')
    .map(({ method, path, operationId }) => {
      const { requestBody } = paths[path]?.[method.toLowerCase()] ?? {}
      return { method, path, operationId, body: requestBody?.content['application/json'].example ?? {} }
    })
}

interface Documented {
  requestBody?: { content: { 'application/json': { example?: object } } }
}

/** A key that nobody has used, as a header. */
export function freshKey(): { 'idempotency-key': string } {
  return { 'idempotency-key': `"${randomUUID()}"` }
}

/** Calls a route with the ids of one meeting. */
export function send(
  call: Client,
  { method, path, body }: MutatingRoute,
  meetingId: string,
  headers: Record<string, string>,
  otherBody: object = body
): Promise<Reply> {
  return call(method, fill(path, idsOf(meetingId)), otherBody, headers)
}

/** One id for all: what `makeMeetings` has made. */
function idsOf(id: string): Ids {
  return { meeting_id: id, livestream_id: id, participant_id: id }
}

/** Changes at the vendor, tried or made. */
export function mutationsSent({ journal }: Pick<Simulator, 'journal'>): number {
  return journal.filter(({ method }) => method !== 'GET').length
}

/** New meetings of a tenant, and for each a livestream without a meeting, and a participant of it, that have the same id. */
export async function makeMeetings(store: Store, simulator: Simulator, tenant: string, count: number) {
  const ids = Array.from({ length: count }, () => simulator.addMeeting().id)
  await meetingsIn(store).assign(tenant, 'default', ids, Date.now())
  for (const id of ids) {
    const { status } = simulator.addLivestream({ id })
    // So has a participant of the meeting.
    simulator.addParticipant(id, { id, custom_participant_id: `of ${id}` })
    const known = [{ id, customFingerprint: `of ${id}` }]
    await store.engine.write([participantsIn(store).seen({ id, upstream: 'default' }, known, Date.now())])
    const owner = { id, tenantId: tenant, upstream: 'default', meetingId: null }
    await livestreamsIn(store).observe(owner, { id, status }, Date.now())
  }
  return ids
}

/** A request of acme under a key of its own, for a meeting of its own that it can change. */
export async function aRequest(
  { asAcme, simulator, store }: Pick<World, 'asAcme' | 'simulator' | 'store'>,
  route: MutatingRoute,
  { live = needsLive(route) } = {}
) {
  const [meeting = ''] = await makeMeetings(store, simulator, 'acme', 1)
  if (live) simulator.startFromBrowser(meeting)
  const headers = freshKey()
  const before = mutationsSent(simulator)
  const path = fill(route.path, idsOf(meeting))
  return {
    meeting,
    headers,
    path,
    /** Target of a fault. */
    vendor: { method: route.method, path: path.replace('/v2', '') },
    call: () => send(asAcme, route, meeting, headers),
    /** Number of mutations that went upstream since, of any kind. */
    sent: () => mutationsSent(simulator) - before
  }
}

/** Operations on what goes on: a stop, and what is done to people in a meeting. */
export function needsLive({ operationId, path }: MutatingRoute): boolean {
  return operationId === 'stopLivestream' || path.includes('/active-session/')
}

export function isReplay({ headers }: Reply): boolean {
  return headers['idempotency-replayed'] === 'true'
}

/** Done by this very call. */
export function isExecuted(reply: Reply): boolean {
  return reply.statusCode < 300 && !isReplay(reply)
}

/** Part of an answer that is replayed. */
export function dataOf(reply: Reply): object {
  const { stream_key: _key, ingest_server: _server, token, ...data } = reply.json().data
  return { ...data, ...(token !== undefined && { token_issued: true }) }
}
