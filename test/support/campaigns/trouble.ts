import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { Simulator } from '../../../src/simulator/simulator.ts'
import type { Store } from '../../../src/store/store.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import type { Client, Reply, TestContext } from '../gateway.ts'

/** Calls to the vendor through the gateway. `check` is a start whose look at the meeting goes wrong, not its POST. */
export const operations = [
  'start',
  'check',
  'stop',
  'createMeeting',
  'patchMeeting',
  'putMeeting',
  'active',
  'getLivestream',
  'getMeeting'
] as const
export type Operation = (typeof operations)[number]
export const mutations: readonly Operation[] = ['start', 'stop', 'createMeeting', 'patchMeeting', 'putMeeting']

/** Things of acme at the vendor, one for each operation, so that all can be called at once. */
export interface Bed {
  meetings: Record<Operation, string>
  livestream: string
}

/** One call of the vendor: what a fault must match. */
export interface VendorCall {
  method: string
  path: string
}

interface Use {
  method: string
  path: string
  body: object | undefined
  /** The vendor's side of it. */
  vendor: VendorCall
}

export function use(operation: Operation, { meetings, livestream }: Bed): Use {
  const meeting = `/meetings/${meetings[operation]}`
  const start = { method: 'POST', path: `${meeting}/livestreams` }
  const active = { method: 'GET', path: `${meeting}/active-livestream` }
  const same = (vendor: VendorCall, body?: object): Use => ({ ...vendor, path: `/v2${vendor.path}`, body, vendor })
  switch (operation) {
    case 'start':
      return same(start, {})
    case 'check':
      return { ...same(start, {}), vendor: active }
    case 'active':
      return same(active)
    case 'stop':
      return same({ method: 'POST', path: `${active.path}/stop` })
    case 'getLivestream':
      return same({ method: 'GET', path: `/livestreams/${livestream}` })
    case 'createMeeting':
      return same({ method: 'POST', path: '/meetings' }, { title: 'new' })
    case 'getMeeting':
      return same({ method: 'GET', path: meeting })
    case 'patchMeeting':
      return same({ method: 'PATCH', path: meeting }, { title: 'changed' })
    case 'putMeeting':
      return same({ method: 'PUT', path: meeting }, { title: 'replaced' })
  }
}

const live: Operation[] = ['check', 'active', 'stop', 'getLivestream']

/** Makes `count` beds before the gateway starts: meetings of acme, those that need it live. */
export async function makeBeds(store: Store, simulator: Simulator, count: number): Promise<Bed[]> {
  const nowMs = Date.now()
  const beds = Array.from({ length: count }, (): Bed => {
    const meetings = Object.fromEntries(operations.map(name => [name, simulator.addMeeting().id])) as Bed['meetings']
    const [livestream] = live.map(name => simulator.startFromBrowser(meetings[name])).reverse()
    return { meetings, livestream: livestream?.id ?? '' }
  })
  const ids = beds.flatMap(({ meetings }) => Object.values(meetings))
  await meetingsIn(store).assign('acme', 'default', ids, nowMs)
  for (const { meetings, livestream: id } of beds) {
    const owner = { id, tenantId: 'acme', upstream: 'default', meetingId: meetings.getLivestream }
    await livestreamsIn(store).observe(owner, { id, status: 'LIVE' }, nowMs)
  }
  return beds
}

export interface Outcome {
  reply: Reply
  /** `502 upstream_failed unknown`: status, type and outcome as far as there are any. */
  says: string
  tookMs: number
}

/** Calls every operation at once, and tells of each answer at the moment of it. */
export async function callAll(
  asAcme: Client,
  bed: Bed,
  answered: (operation: Operation) => void = () => {}
): Promise<Record<Operation, Outcome>> {
  const outcomes = operations.map(async name => {
    const { method, path, body } = use(name, bed)
    const startedMs = performance.now()
    const reply = await asAcme(method, path, body)
    answered(name)
    return [name, { reply, says: says(reply), tookMs: performance.now() - startedMs }] as const
  })
  return Object.fromEntries(await Promise.all(outcomes)) as Record<Operation, Outcome>
}

export function says(reply: Reply): string {
  const { type, outcome } = reply.json().error ?? {}
  return [reply.statusCode, type, outcome].filter(Boolean).join(' ')
}

export type Expected = Record<Operation, string>

/** The same trouble for every operation: reads have no outcome, and a start that could not look has sent nothing. */
export function everywhere(status: number, type: string, outcome: string): Expected {
  const read = `${status} ${type}`
  const sent = (name: Operation): string => (mutations.includes(name) ? `${read} ${outcome}` : read)
  return { ...(Object.fromEntries(operations.map(name => [name, sent(name)])) as Expected), check: `${read} not_sent` }
}

/** The answers of every operation when nothing is wrong. */
export const fine: Expected = {
  start: '201',
  check: '200',
  stop: '200',
  createMeeting: '201',
  patchMeeting: '200',
  putMeeting: '200',
  active: '200',
  getLivestream: '200',
  getMeeting: '200'
}

/** A host to which no answer of the vendor may lead. */
export async function elsewhere(t: TestContext): Promise<{ url: string; requests: () => number }> {
  let requests = 0
  const server = createServer((_request, response) => {
    requests++
    response.end('{"success":true,"data":{"id":"stolen","status":"LIVE"}}')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${randomUUID()}`, requests: () => requests }
}
