import type { OwnedMeeting } from '../../domain/meeting.ts'

/** A stop that the vendor has confirmed, and that no start has followed. */
export interface ConfirmedStop {
  readonly meeting: OwnedMeeting
  readonly atMs: number
  /** The vendor's clock when it answered, in whole seconds; null when it has never told. */
  readonly dateMs: number | null
  /** The run that was seen to go on after the stop. */
  sessionId: string | null
  /** The verdict of the last look, shared by all who look at this meeting. */
  look: { atMs: number; verdict: Promise<Verdict> } | null
  /** A look of our own, which follows the stop whoever reads. */
  followUp: NodeJS.Timeout | null
  /** Our own look waits behind those of other meetings. */
  isQueued: boolean
  /** Looks of our own that have shown nothing. */
  quietLooks: number
  isTold: boolean
  /** Another stop, which is open, is to end its run. */
  isRepeated: boolean
}

/**
 * `likely`: a run that is over, one of a part, or one that began when another had ended, says so. That hides what goes on, and
 * is no reason to stop it again. `maybe`: the vendor shows nothing that would tell. `unasked`: it could not be asked. `ending`
 * alone is proof.
 */
export type Verdict = 'ending' | 'likely' | 'newer' | 'maybe' | 'unasked'

/** So long ago a stop may be that is still looked after when the gateway comes back. */
export const followedForMs = 3_600_000

/** A confirmed stop as the store remembers it after a restart. */
export interface Recalled {
  agoMs: number
  /** The vendor's clock when it was confirmed; at the earliest, where only its sending is known. */
  dateMs: number | null
  /** It is not looked after before that. */
  followInMs: number
}
