import { setTimeout as sleep } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { Caller } from '../domain/caller.ts'
import type { Clock } from '../domain/clock.ts'
import { Failure, NoActiveLivestream, StartUnsettled, UpstreamRefused, withOutcome } from '../domain/failures.ts'
import { isRunning, type Livestream } from '../domain/livestream.ts'
import type { OwnedMeeting } from '../domain/meeting.ts'
import type { Operation } from '../domain/operation.ts'
import type { Livestreams } from '../store/livestreams.ts'
import type { Operations } from '../store/operations.ts'
import type { Lane, Upstreams } from '../upstream/provider.ts'
import { type FindActive, providerOf } from './active.ts'
import type { ActiveReads } from './active-reads.ts'
import type { Bounded } from './deadline.ts'
import type { Motion } from './motion.ts'
import type { Done, Mutation } from './mutation.ts'
import type { Recorded } from './recorded.ts'
import { type Settle, stoppedData } from './settle.ts'
import type { StillAllowed } from './still-allowed.ts'

export interface StopDeps {
  upstreams: Upstreams
  livestreams: Pick<Livestreams, 'lastOfMeeting' | 'observed'>
  operations: Pick<Operations, 'openStart'>
  settle: Settle
  stillAllowed: StillAllowed
  findActive: FindActive
  changed: ActiveReads['changed']
  outdated: ActiveReads['outdated']
  recorded: Recorded
  motion: Motion<unknown, Stopped>
  clock: Clock
  bounded: Bounded
}

export interface Stopped {
  /** As far as is known nothing was live: the run that Livegate had seen was over. */
  fruitless: boolean
}

/**
 * Stops the meeting's livestream. Every stop goes upstream, also when Livegate thinks that nothing is live: a browser may
 * have begun a run that it never saw. Stops of one meeting go out a second apart unless a start came between, and those that come
 * meanwhile join, so that a loop of them can't spend the vendor's quota.
 * @throws NoActiveLivestream when the vendor shows nothing live and Livegate never saw a run; StartUnsettled when nothing is
 * live while the outcome of a start is unknown; what a Provider throws
 */
export type Stop = (caller: Caller, meeting: OwnedMeeting) => Promise<Stopped>

/** Between two stops of one meeting, unless a start came between. */
const spacingMs = 1_000
/** After a stop that had nothing to stop: the next ones of that meeting may not use what is kept for stops. */
const fruitlessForMs = 10_000
const fruitlessTimes = 5
/** So many meetings, and tenants, are remembered. */
const maxFruitless = 10_000
/** Of one tenant, whichever meetings: who has had more may stop what is known to be live with all rights, and else as any mutation. */
const fruitlessPerMinute = 20

export function stop(deps: StopDeps): Stop {
  const {
    upstreams,
    livestreams,
    findActive,
    changed,
    outdated,
    recorded,
    motion,
    operations,
    settle,
    stillAllowed,
    clock,
    bounded
  } = deps
  /** Meetings whose last stops had nothing to stop, as far as is known. */
  const fruitless = new LRUCache<string, { times: number; lastAtMs: number }>({ max: maxFruitless })

  /** How many fruitless stops of a tenant count; they wear off evenly. */
  const loops = new LRUCache<string, { count: number; atMs: number }>({ max: maxFruitless })

  function loopOf({ tenantId }: OwnedMeeting): number {
    const { count, atMs } = loops.get(tenantId) ?? { count: 0, atMs: 0 }
    return Math.max(0, count - ((clock.monotonic() - atMs) / 60_000) * fruitlessPerMinute)
  }

  /** A loop over many meetings would empty the vendor's quota as well: each of them has had no fruitless stop yet. */
  async function isPartOfLoop(meeting: OwnedMeeting): Promise<boolean> {
    if (loopOf(meeting) < fruitlessPerMinute) return false
    const last = await livestreams.lastOfMeeting(meeting.tenantId, meeting.id).catch(() => undefined)
    return last === null || (last !== undefined && !isRunning(last.status))
  }

  /**
   * Nothing holds back the stop of a meeting that may be live. That it is not was just proved when a stop had nothing to stop and
   * nobody has started since: a loop of such stops has the rights of any other mutation, else it would empty the vendor's quota.
   */
  async function laneOf(meeting: OwnedMeeting): Promise<Lane> {
    const { id } = meeting
    const { times = 0, lastAtMs = 0 } = fruitless.get(id) ?? {}
    const isRecent = clock.monotonic() - lastAtMs < fruitlessForMs && motion.stoppedAtMs.has(id)
    return (times >= fruitlessTimes && isRecent) || (await isPartOfLoop(meeting)) ? 'mutation' : 'stop'
  }

  /** One that the vendor calls a success may have stopped a run that Livegate never saw, but hardly several times in a row. */
  function noteFruitless(meeting: OwnedMeeting, stopped: boolean): void {
    const { id, tenantId } = meeting
    loops.set(tenantId, { count: loopOf(meeting) + 1, atMs: clock.monotonic() })
    const times = stopped ? (fruitless.get(id)?.times ?? 0) + 1 : fruitlessTimes
    fruitless.set(id, { times, lastAtMs: clock.monotonic() })
  }

  async function lead(caller: Caller, meeting: OwnedMeeting, waited: boolean): Promise<Stopped> {
    if (waited) await stillAllowed(caller, meeting, 'stop')
    const waitMs = (motion.stoppedAtMs.get(meeting.id) ?? Number.NEGATIVE_INFINITY) + spacingMs - clock.monotonic()
    if (waitMs > 0) await sleep(waitMs)
    return bounded(signal => stopNow(caller, meeting, signal))
  }

  async function stopNow(caller: Caller, meeting: OwnedMeeting, signal: AbortSignal): Promise<Stopped> {
    // Asked before the stop goes out: a start that is settled meanwhile may have begun something after it.
    const openStart = operations.openStart(meeting.id).catch(() => null)
    return recorded(mutationOf(caller, meeting), async (): Promise<Done<Stopped>> => {
      const start = await openStart
      const lane = start === null ? await laneOf(meeting) : 'stop'
      const stopped = await send(meeting, lane, signal)
      motion.stoppedAtMs.set(meeting.id, clock.monotonic())
      changed(meeting, null)
      if (start !== null) await settleStart(start, meeting, signal)
      await settle.confirmStops(meeting.id).catch(() => {}) // the store may be away: then they end with the next one
      const last = await livestreams.lastOfMeeting(meeting.tenantId, meeting.id).catch(() => null)
      // A vendor may call it a success to stop nothing.
      const wasFruitless = !stopped || last === null || !isRunning(last.status)
      if (wasFruitless) noteFruitless(meeting, stopped)
      else fruitless.delete(meeting.id)
      if (!stopped && last === null) throw new NoActiveLivestream()
      return {
        value: { fruitless: wasFruitless },
        status: 200,
        data: stoppedData,
        livestreamId: last?.id ?? null,
        statements: ended(meeting, last)
      }
    })
  }

  /** True when something was stopped. Nothing live, says the vendor: it may say so of a run that is only INVOKED. A look tells. */
  async function send(meeting: OwnedMeeting, lane: Lane, signal: AbortSignal): Promise<boolean> {
    const { stopped } = await providerOf(upstreams, meeting, lane)
      .stop(meeting.id, signal)
      .finally(() => outdated(meeting))
    if (!stopped && (await look(meeting, lane, signal)) !== null) throw new UpstreamRefused({ outcome: 'unknown' })
    return stopped
  }

  /**
   * Nothing is live, but a start whose answer was lost may still begin something: then nobody may call it stopped. The stop is
   * remembered, and sent again until that start is settled.
   */
  async function settleStart(start: Operation, meeting: OwnedMeeting, signal: AbortSignal): Promise<void> {
    const settled = await settle(start).catch(() => false)
    if (settled && (await look(meeting, 'stop', signal)) !== null) await send(meeting, 'stop', signal)
    if (settled) return
    const message = 'An earlier start of this meeting is not settled yet: the stop is sent again when it is'
    throw new StartUnsettled({ message, outcome: 'unknown', retryAfterSeconds: 1 })
  }

  /** After a stop was sent nothing says "not sent" any more. */
  async function look(meeting: OwnedMeeting, lane: Lane, signal: AbortSignal) {
    try {
      return await findActive(meeting, lane, signal)
    } catch (error) {
      throw error instanceof Failure ? withOutcome(error, 'unknown') : error
    }
  }

  /** The run that was seen last is over; a later look may tell how. */
  function ended(meeting: OwnedMeeting, last: Livestream | null) {
    if (last === null || !isRunning(last.status)) return []
    const owner = { id: last.id, tenantId: meeting.tenantId, upstream: meeting.upstream, meetingId: meeting.id }
    return livestreams.observed(owner, { ...last, status: 'IDLE' }, clock.now())
  }

  return async (caller, meeting) => {
    const { result, led } = await motion.stop(meeting.id, waited => lead(caller, meeting, waited))
    // Who joined another's stop was told the same, and is on record too.
    if (!led) await recorded.answered(mutationOf(caller, meeting), { status: 200, data: stoppedData })
    return result
  }
}

function mutationOf(caller: Caller, { id, upstream }: OwnedMeeting): Mutation {
  return { caller, kind: 'stop', upstream, meetingId: id, goesOn: true }
}
