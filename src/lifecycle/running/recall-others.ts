import { LRUCache } from 'lru-cache'
import { placeOf } from '../../domain/id.ts'
import type { OwnedMeeting, PlacedMeeting } from '../../domain/meeting.ts'
import type { Replicas } from '../../domain/replicas.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Operations } from '../../store/tables/operations.ts'
import { meetingOf } from '../operations/operation-ends.ts'
import type { EndingRuns } from './ending-runs.ts'
import type { OwnStarts } from './own-actions.ts'
import { confirmedAt } from './recall-stops.ts'
import type { WhatRuns } from './sight.ts'
import { followedForMs } from './verdict.ts'

export interface RecallOthersDeps {
  replicas: Pick<Replicas, 'isOnly' | 'isMine'>
  operations: Pick<Operations, 'lastSettledIn'>
  endingRuns: Pick<EndingRuns, 'recall' | 'started'>
  ownStarts: Pick<OwnStarts, 'sent' | 'began' | 'believed'>
  outdated(meeting: PlacedMeeting): void
  clock: Pick<Clock, 'now'>
  settleMs: number
}

/** Meetings whose last word is remembered. */
const maxMeetings = 10_000

/**
 * Remembers what another replica has started or stopped last in a meeting, as if it had been this one: the vendor may still show a run that
 * was stopped, and hide one that was started. What runs is to be asked for anew then. @throws what the store throws
 */
export type RecallOthers = (meeting: PlacedMeeting) => Promise<void>

export function recallOthers(deps: RecallOthersDeps): RecallOthers {
  const { replicas, operations, endingRuns, ownStarts, outdated, clock, settleMs } = deps
  const known = new LRUCache<string, string>(upTo(maxMeetings))

  return async place => {
    if (replicas.isOnly) return
    const nowMs = clock.now()
    const last = await operations.lastSettledIn(place, nowMs - Math.max(settleMs, followedForMs))
    if (last === null) return
    // A start of before may have been settled since, here too: its run is over all the same.
    if (last.kind === 'stop' && !replicas.isMine(last.owner)) ownStarts.believed(place)
    if (known.get(placeOf(place)) === last.id) return
    known.set(placeOf(place), last.id)
    if (replicas.isMine(last.owner)) return
    const meeting: OwnedMeeting = meetingOf(last)
    const agoMs = (atMs: number): number => Math.max(0, nowMs - atMs)
    if (last.kind === 'stop') {
      const ago = { agoMs: agoMs(last.settledAtMs ?? nowMs), followInMs: 0 }
      endingRuns.recall(meeting, { ...ago, dateMs: confirmedAt(last), isOthers: true })
    } else {
      ownStarts.sent(meeting, agoMs(last.sentAtMs))
      if (last.livestreamId !== null) ownStarts.began(meeting, last.livestreamId, agoMs(last.sentAtMs))
      endingRuns.started(meeting, agoMs(last.sentAtMs))
    }
    outdated(meeting)
  }
}

export interface LookKnowingDeps {
  whatRuns: WhatRuns
  replicas: Pick<Replicas, 'isOnly'>
  recallOthers: RecallOthers
  endingRuns: Pick<EndingRuns, 'has'>
  ownStarts: Pick<OwnStarts, 'begunRun'>
}

/**
 * Looks as `whatRuns` does. Where this replica remembers a start or stop of a moment ago, another one may have had the last word since: else a
 * run that it began would be taken for the one that was stopped.
 */
export function lookKnowing({ whatRuns, replicas, recallOthers, endingRuns, ownStarts }: LookKnowingDeps): WhatRuns {
  return async (meeting, priority, signal, how) => {
    const isRemembered = endingRuns.has(meeting) || ownStarts.begunRun(meeting) !== null
    // Without the store the look goes on.
    if (isRemembered && !replicas.isOnly) await recallOthers(meeting).catch(() => {})
    return whatRuns(meeting, priority, signal, how)
  }
}
