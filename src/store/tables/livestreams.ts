import { type Clock, systemClock } from '../../domain/values/clock.ts'
import type { Store } from '../store.ts'
import { livestreamLookUps } from './livestreams/look-ups.ts'
import { livestreamSightings } from './livestreams/sightings.ts'

export type { LivestreamFilter, UnfinishedLivestream } from './livestreams/look-ups.ts'
export type { KnownMeeting, LastSeen, LivestreamOwner } from './livestreams/sightings.ts'

/**
 * The table `livestreams`: who may see which livestream, and how it was seen last. No stream key ever comes here.
 *
 * The last look is the one written last: one process writes down what it sees as the answers come, one after the other. A
 * clock that was set back would call every look of the next hour older than what was seen before, and leave a run LIVE that is
 * over; so the order is that of the revisions, and `observed_at` is for people.
 */
export function livestreamsIn(store: Store, clock: Clock = systemClock) {
  return { ...livestreamLookUps(store), ...livestreamSightings(store, clock) }
}
export type Livestreams = ReturnType<typeof livestreamsIn>
