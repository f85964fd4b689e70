import type { LivestreamSession, LivestreamWithKey } from '../domain/livestream.ts'
import type { Meeting } from '../domain/meeting.ts'
import type { MeetingChange, NewMeeting } from '../domain/meeting-wish.ts'
import type { Page, Paging } from '../domain/paging.ts'

/** What a caller may wish of a livestream; the size of the picture is in pixels. */
export interface LivestreamWish {
  name?: string | null
  video_config?: { height?: number; width?: number }
  manual_ingest?: boolean
}

/** A livestream with the page of its runs that was asked for. */
export interface LivestreamWithSessions {
  livestream: LivestreamWithKey
  sessions: LivestreamSession[]
  paging: Paging
}

/** A livestream, with its runs as far as the vendor tells. */
export type Run = Pick<LivestreamWithSessions, 'livestream' | 'sessions'>

/**
 * What Livegate needs of a vendor. `dyte.ts` is the answer for Dyte v2; each method is one call, sent at most once.
 * The signal bounds the whole call. All of them throw: UpstreamUnreachable (never sent), UpstreamTooLate, UpstreamFailed,
 * UpstreamMalformed, UpstreamRefused, UpstreamCredentialsRefused, UpstreamThrottled; of a mutation each says its outcome.
 */
export interface Provider {
  /** A lost answer may still have started a livestream. @throws LiveElsewhere, MeetingNotFound */
  start(meetingId: string, wish: LivestreamWish, signal: AbortSignal): Promise<LivestreamWithKey>
  /** Null when the vendor shows no active livestream, or doesn't know the meeting: it answers both alike. */
  findActive(meetingId: string, signal: AbortSignal): Promise<LivestreamWithKey | null>
  /** False when the vendor says that nothing was live. */
  stop(meetingId: string, signal: AbortSignal): Promise<boolean>
  /** Null when the vendor has no such livestream. */
  findLivestream(id: string, page: Page, signal: AbortSignal): Promise<LivestreamWithSessions | null>
  /** The meeting's livestreams among the newest of the account, with when their last run began. */
  findRuns(meetingId: string, signal: AbortSignal): Promise<Run[]>
  createMeeting(wish: NewMeeting, signal: AbortSignal): Promise<Meeting>
  /** Null when the vendor has no such meeting. */
  findMeeting(id: string, signal: AbortSignal): Promise<Meeting | null>
  /** @throws MeetingNotFound */
  updateMeeting(id: string, change: MeetingChange, signal: AbortSignal): Promise<Meeting>
  /** Ends idle connections and lets calls under way finish. */
  close(): Promise<void>
}

/** The vendor accounts by name; `default` is the one of the environment. */
export type Providers = ReadonlyMap<string, Provider>
