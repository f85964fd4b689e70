import { LRUCache } from 'lru-cache'
import { type LivestreamWithKey, withoutKey } from '../../domain/livestream.ts'
import type { Operation, StoredAnswer } from '../../domain/operation.ts'
import { UpstreamFailed } from '../../domain/refusals/failures.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { OperationEnd, Operations } from '../../store/tables/operations.ts'
import type { Deadline } from '../context.ts'
import type { FindStarted } from '../running/find-started.ts'
import type { SeenRun } from '../running/sight.ts'
import type { BroadcastEnds } from './broadcast-ends.ts'
import { meetingOf } from './operation-ends.ts'

export interface ReconcileStartDeps {
  ends: Pick<BroadcastEnds, 'end' | 'giveUp'>
  operations: Pick<Operations, 'startsBefore'>
  findStarted: FindStarted
  clock: Clock
  deadline: Deadline
  deadlineMs: number
}

/** The part of `Reconcile` that is about starts. */
export interface ReconcileStart {
  /** One look. True when the start is settled by it, or was before. @throws what a Provider throws */
  (start: Operation): Promise<boolean>
  settledInMs(start: Operation): number
  note(start: Operation, sentAtMs: number): void
}

/** On the monotonic clock. */
interface Looks {
  /** When it was sent; after a restart when it was heard of first: then one deadline more is waited. */
  sentAtMs: number
  /** So long before that it was sent, by the wall clock: of one that an earlier process has sent. */
  earlierMs: number
  /** The first look that counts and has shown nothing. Forgotten at a restart: then two more. */
  nothingAtMs: number | null
}

/** Two looks so far apart that show nothing: then the start has not come to anything. */
const looksApartMs = 5_000
const rememberedLooks = 10_000

/** A start whose answer was lost is never sent again: its run is looked for, until it is found or two late looks show nothing. */
export function startReconciler(deps: ReconcileStartDeps): ReconcileStart {
  const { ends, operations, findStarted, clock, deadline, deadlineMs } = deps
  const looks = new LRUCache<string, Looks>(upTo(rememberedLooks))

  function looksOf({ id, sentAtMs }: Operation): Looks {
    const known = looks.get(id)
    if (known !== undefined) return known
    const earlierMs = Math.max(0, clock.now() - sentAtMs)
    const fresh = { sentAtMs: clock.monotonic(), earlierMs, nothingAtMs: null }
    looks.set(id, fresh)
    return fresh
  }

  async function reconcile(start: Operation): Promise<boolean> {
    const look = looksOf(start)
    const lookedAtMs = clock.monotonic()
    const isLate = lookedAtMs - look.sentAtMs >= deadlineMs
    const sent = {
      atMs: start.vendorAtMs,
      before: await operations.startsBefore(start),
      monotonicMs: look.sentAtMs - look.earlierMs
    }
    const found = await findStarted(meetingOf(start), sent, deadline())
    if (found === 'unclear') {
      look.nothingAtMs = null
      return false
    }
    if (found !== null) return end(start, found, clock.monotonic() - look.sentAtMs + look.earlierMs)
    // The start may still be under way to the vendor.
    if (!isLate) return false
    look.nothingAtMs ??= lookedAtMs
    if (lookedAtMs - look.nothingAtMs < looksApartMs) return false
    looks.delete(start.id)
    return ends.giveUp(
      start,
      new UpstreamFailed({ outcome: 'failed', message: 'The livestream provider did not start it' })
    )
  }

  async function end(start: Operation, began: SeenRun, agoMs: number): Promise<boolean> {
    looks.delete(start.id)
    return ends.end(start, doneWith(began.livestream), { began, agoMs })
  }

  reconcile.note = (start: Operation, sentAtMs: number): void => {
    looks.set(start.id, { sentAtMs, earlierMs: 0, nothingAtMs: null })
  }

  reconcile.settledInMs = (start: Operation): number => {
    const nowMs = clock.monotonic()
    const { sentAtMs, nothingAtMs } = looks.get(start.id) ?? { sentAtMs: nowMs, nothingAtMs: null }
    if (nothingAtMs !== null) return Math.max(0, nothingAtMs + looksApartMs - nowMs)
    return Math.max(0, sentAtMs + deadlineMs - nowMs) + looksApartMs
  }
  return reconcile
}

/** The start that somebody waits for, as if its own answer had come. */
function doneWith(livestream: LivestreamWithKey): OperationEnd {
  const answer: StoredAnswer = { status: 201, body: { data: withoutKey(livestream) } }
  return { state: 'done', livestreamId: livestream.id, answer }
}
