/** A look at a meeting, and what it shows. */
import type { LivestreamWithKey } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Errand, Priority } from '../../upstream/provider.ts'

/** A livestream that was seen in a meeting. */
export interface SeenRun {
  livestream: LivestreamWithKey
  /** Nobody says whose it is. It is shown without key, ingest and playback address, and makes no id known: it is kept in no row. */
  isNobodys: boolean
}

/** The vendor's view of a meeting right now. */
export interface Sight extends Pick<SeenRun, 'isNobodys'> {
  /** The livestream that runs, or is about to; null when none does. */
  livestream: LivestreamWithKey | null
  /** It was stopped a moment ago, and is still shown. */
  isEnding: boolean
  /** Likely the run that was stopped, but not proved: that is no end of a stop. */
  isUnclear: boolean
  /** Nothing runs by the lists alone, at a vendor that may begin a second run; or although we have begun one: before a start two such looks must agree. */
  isWeak: boolean
}

/**
 * Looks for what runs in this meeting, as the vendor shows it right now; asks with that priority. The one answer for starts, stops,
 * reconciliation and reads. The vendor's `active-livestream` has the first word. Where it fails the lists of what runs decide. A run
 * that is INVOKED but not yet LIVE may be hidden (contract#active-during-invoked): then our last run is asked for by its own id.
 * @throws what a Provider throws; UpstreamMalformed when the vendor shows a livestream that is known to be another meeting's
 */
export type WhatRuns = (meeting: OwnedMeeting, priority: Priority, signal: AbortSignal, how?: LookHow) => Promise<Sight>

export interface LookHow extends Pick<Errand, 'onSent'> {
  /** A look of our own after a stop, also for runs that the vendor may hide. */
  isFollowUp?: boolean
}
