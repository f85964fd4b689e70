import { likelySpelling } from '../../domain/id.ts'
import type { LivestreamWithKey } from '../../domain/livestream.ts'
import { UpstreamUnavailable } from '../../domain/refusals/failures.ts'
import type { Run } from '../../domain/runs/run.ts'
import type { Livestreams } from '../../store/tables/livestreams.ts'
import type { Meetings } from '../../store/tables/meetings.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { OrderedStop } from '../../store/tables/runs/ordered-stops.ts'
import type { LaterRuns, StopOrder, StopOrders, UnownedRun } from '../../store/tables/runs/stop-orders.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import type { MeetingQueue } from '../broadcast/meeting-queue.ts'
import type { Deadline } from '../context.ts'

export interface FindOrderedDeps {
  upstreams: Upstreams
  runs: Pick<BroadcastRuns, 'open' | 'lastOf'>
  operations: Pick<Operations, 'unsettled'>
  meetings: Pick<Meetings, 'ownerOf' | 'upstreamOf'>
  livestreams: Pick<Livestreams, 'meetingOf' | 'find'>
  queue: Pick<MeetingQueue<unknown, unknown>, 'startsUnderWay'>
  orders: Pick<StopOrders, 'laterRuns'>
  deadline: Deadline
}

/** Something that runs, or is being started: the meeting may not be known, or there may be none. */
type Running = Pick<OrderedStop, 'upstream' | 'meetingId' | 'livestreamId' | 'runId'>

/** Something that an order is about. */
export type FoundRun = Omit<OrderedStop, 'orderId' | 'place'>

/** The things that an order is about, and what runs that no tenant has. */
export interface FoundOrdered {
  runs: FoundRun[]
  unowned: UnownedRun[]
}

/** Finds what an order to stop is about. @throws what the store throws */
export interface FindOrdered {
  /** As Livegate knows it: open runs, starts of unknown outcome, and starts that wait for their turn. */
  known(order: StopOrder): Promise<FoundOrdered>
  /** As the vendor account shows it now, also what nobody has started here. @throws what a Provider throws */
  shown(order: StopOrder, upstream: string): Promise<FoundOrdered>
}

export function findOrdered(deps: FindOrderedDeps): FindOrdered {
  const { upstreams, runs, operations, meetings, livestreams, queue, orders, deadline } = deps

  /** Runs that an operator's order does not mean. A suspended tenant has nothing that may go on. */
  const laterThan = async (order: StopOrder): Promise<LaterRuns> =>
    order.reason === 'operator' ? orders.laterRuns(order) : { runIds: new Set(), operationIds: new Set() }

  async function known(order: StopOrder): Promise<FoundOrdered> {
    const unsettled = (await operations.unsettled()).filter(({ kind }) => kind === 'start')
    const listed = await runs.open()
    // Read behind both: a later run that is in them is in it too.
    const later = await laterThan(order)
    const open = listed.filter(({ id }) => !later.runIds.has(id))
    const starts = unsettled.filter(({ id }) => !later.operationIds.has(id))
    const started = starts.map(({ upstream, meetingId }) => ({ upstream, meetingId, livestreamId: null, runId: null }))
    const begun = queue
      .startsUnderWay()
      .map(({ id, upstream }) => ({ upstream, meetingId: id, livestreamId: null, runId: null }))
    return attributed(order, [...open.map(runningOf), ...started, ...begun])
  }

  async function shown(order: StopOrder, upstream: string): Promise<FoundOrdered> {
    const account = upstreams.get(upstream)
    if (account === undefined) throw new UpstreamUnavailable()
    const provider = account.on({ tenantId: order.tenantId ?? 'operator', priority: 'stop' })
    const { livestreams: listed, unreadIn } = await provider.findRunning(deadline())
    const found: Running[] = [...unreadIn].map(meetingId => ({ upstream, meetingId, livestreamId: null, runId: null }))
    const seen: [LivestreamWithKey, Run | null][] = []
    for (const one of listed.filter(isRun)) seen.push([one, await runs.lastOf(upstream, one.id)])
    // Read behind the runs, as above.
    const later = await laterThan(order)
    for (const [livestream, run] of seen) {
      if (run !== null && isOurs(run) && later.runIds.has(run.id)) continue
      const meetingId = livestream.meeting_id ?? null
      found.push({ upstream, meetingId, livestreamId: livestream.id, runId: isOpen(run) ? run.id : null })
    }
    return attributed(order, found)
  }

  /** Names the tenant that has it now: a meeting may have changed hands since its run began. */
  async function attributed(order: StopOrder, running: readonly Running[]): Promise<FoundOrdered> {
    const found: FoundOrdered = { runs: [], unowned: [] }
    for (const one of running) {
      const owner = await ownerOf(one)
      const { upstream, meetingId, livestreamId, runId } = one
      if (owner !== null && (order.tenantId === null || order.tenantId === owner.tenantId)) {
        found.runs.push({ upstream, livestreamId, runId, ...owner })
      }
      // A tenant's order says nothing of what is nobody's.
      const isNobodys = owner === null && order.tenantId === null && livestreamId !== null
      if (isNobodys) found.unowned.push({ upstream, meetingId, livestreamId })
    }
    return found
  }

  async function ownerOf({ upstream, meetingId, livestreamId }: Running) {
    if (meetingId !== null) return ownerOfMeeting(upstream, meetingId)
    const known = livestreamId === null ? null : await livestreams.meetingOf(livestreamId)
    if (known === null || known.upstream !== upstream) return null
    if (known.meetingId !== null) return ownerOfMeeting(upstream, known.meetingId)
    const { tenantId } = known
    return (await livestreams.find(tenantId, known.id)) === null ? null : { tenantId, meetingId: null }
  }

  /** At another account the same id is another meeting. */
  async function ownerOfMeeting(upstream: string, meetingId: string) {
    const owner = await meetings.ownerOf(meetingId)
    if (owner?.upstream === upstream) return { tenantId: owner.tenantId, meetingId: owner.id }
    const dedicatedTo = upstreams.get(upstream)?.dedicatedTo ?? null
    const isFree = dedicatedTo !== null && (await meetings.upstreamOf(meetingId)) !== upstream
    return isFree ? { tenantId: dedicatedTo, meetingId: likelySpelling(meetingId) } : null
  }

  return { known, shown }
}

/** INVOKED without a meeting waits for an encoder, and is no run. */
function isRun({ status, meeting_id: meetingId }: LivestreamWithKey): boolean {
  return status !== 'INVOKED' || meetingId !== null
}

function isOpen(run: Run | null): run is Run {
  return run !== null && run.endedAtMs === null
}

/** A run that goes on, and that a start of ours has begun. */
function isOurs({ endedAtMs, operationId }: Run): boolean {
  return endedAtMs === null && operationId !== null
}

function runningOf({ upstream, meetingId, livestreamId, id }: Run): Running {
  return { upstream, meetingId, livestreamId, runId: id }
}

/** Adds to the stops of an order what it does not have yet. A vendor may run several livestreams of one meeting: each has its stop. */
export function newStops(orderId: string, stops: readonly OrderedStop[], found: readonly FoundRun[]): OrderedStop[] {
  const all = [...stops]
  for (const run of found) {
    const { upstream, meetingId, livestreamId } = run
    const isHere = (stop: FoundRun): boolean =>
      stop.upstream === upstream &&
      stop.meetingId === meetingId &&
      (meetingId !== null || stop.livestreamId === livestreamId)
    const here = all.filter(isHere)
    // A start that is under way, or a meeting that an operator has named, speaks for what comes of it.
    const isThere = here.some(
      stop => livestreamId === null || stop.livestreamId === null || stop.livestreamId === livestreamId
    )
    if (isThere) continue
    all.push({ ...run, orderId, place: (here.length === 0 ? meetingId : null) ?? livestreamId ?? '' })
  }
  return all.slice(stops.length)
}
