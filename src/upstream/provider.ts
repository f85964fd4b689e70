import type { LivestreamSession, LivestreamWithKey } from '../domain/livestream.ts'
import type { Meeting } from '../domain/meeting.ts'
import type { MeetingChange, NewMeeting } from '../domain/meeting-wish.ts'
import type {
  Joining,
  MeetingParticipant,
  NewParticipant,
  ParticipantChange,
  RemovedParticipant,
  ReplacedParticipant
} from '../domain/participant.ts'
import type { Preset, PresetRights } from '../domain/preset.ts'
import { type Failure, LiveElsewhere } from '../domain/refusals/failures.ts'
import type { ActiveSession, Participant, Participants } from '../domain/session.ts'
import type { Page, Paging } from '../domain/values/paging.ts'
import type { Secret } from '../domain/values/secret.ts'
import type { VendorWebhook, WebhookWish } from '../domain/webhooks/vendor-webhook.ts'
import type { KeptHabits, VendorHabits } from './account/observed.ts'
import type { PageOf } from './contract/contract-participants.ts'
import { VendorRefusal } from './contract/refusals.ts'
import type { HeaderFields, ReadWebhook, WebhookEnvelope } from './contract/webhooks.ts'
import type { BudgetStatus, Errand, Spent, TenantUse } from './quota/quota-use.ts'

export type { VendorHabits } from './account/observed.ts'
export { VendorRefusal } from './contract/refusals.ts'
export type { HeaderFields, WebhookEnvelope } from './contract/webhooks.ts'
export type { Errand, Priority } from './quota/quota-use.ts'

/**
 * Whether the vendor itself has refused a mutation for what is so at the moment: with 400 or 409, and not for a field of the
 * caller's own. Then nothing has come of it, and nothing will.
 */
export function isDefiniteRefusal(failure: unknown): failure is Failure {
  if (failure instanceof LiveElsewhere) return true
  return failure instanceof VendorRefusal && (failure.upstreamStatus === 400 || failure.upstreamStatus === 409)
}

/** Wishes that a caller may have of a livestream. The size of the picture is in pixels. */
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

/** A livestream with the run that goes on. */
export interface ActiveRun {
  livestream: LivestreamWithKey
  session: LivestreamSession
}

/** The livestreams that run in an account. */
export interface RunningLivestreams {
  livestreams: LivestreamWithKey[]
  /** Meetings of which the lists have an entry that can't be read. */
  unreadIn: ReadonlySet<string>
}

export type PageOfRuns = Pick<LivestreamWithSessions, 'sessions' | 'paging'>

/** The vendor's answer to a stop that it has taken up. */
export interface StopAnswer {
  /** False when the vendor says by its own 404 that nothing was live. */
  stopped: boolean
  /** The vendor's clock when it said so, in whole seconds; null when it did not say. */
  dateMs: number | null
}

/** Things that can be done to people in a meeting. */
export type StageAction = 'kick' | 'mute'

/**
 * The vendor as Livegate needs it. `dyte.ts` is the answer for Dyte v2, `realtimekit.ts` for RealtimeKit. A mutation is sent at
 * most once, but for a stop that the vendor has refused to hear; a read that failed may be sent once more. The signal bounds the
 * whole call. All of them throw: UpstreamUnreachable, UpstreamTooLate, UpstreamFailed, UpstreamMalformed, UpstreamRefused,
 * UpstreamCredentialsRefused, UpstreamThrottled, UpstreamBudgetExhausted, UpstreamUnavailable, and mutations InvalidInput where
 * the vendor refuses a field of the caller's; of a mutation each says its outcome.
 */
export interface Provider {
  /** A lost answer may still have started a livestream. @throws LiveElsewhere, MeetingNotFound */
  start(meetingId: string, wish: LivestreamWish, signal: AbortSignal): Promise<LivestreamWithKey>
  /**
   * Null when the vendor shows no active livestream, or doesn't know the meeting: a 404 of its own, or a 200 without a livestream.
   * It may show one that is over, and one whose answer names no meeting: then `meeting_id` is missing. A 5xx is thrown as
   * UpstreamFailed and does not count for the breaker: `findRunning` tells what it meant.
   */
  findActive(meetingId: string, signal: AbortSignal): Promise<LivestreamWithKey | null>
  /** All that runs in the account, from its lists of INVOKED and of LIVE livestreams, each to its last page. */
  findRunning(signal: AbortSignal): Promise<RunningLivestreams>
  /** Every refusal but the vendor's own 404 is thrown. */
  stop(meetingId: string, signal: AbortSignal): Promise<StopAnswer>
  /** Null when the vendor has no such livestream. */
  findLivestream(id: string, page: Page, signal: AbortSignal): Promise<LivestreamWithSessions | null>
  /** The meeting's last livestream with a page of its runs; null when there is none, or the contract has no such list. */
  findOfMeeting(meetingId: string, page: Page, signal: AbortSignal): Promise<LivestreamWithSessions | null>
  /**
   * The same in the words of one meeting alone, whatever else the account has: its last livestream, or none.
   * @throws NotOffered where the vendor has no such list
   */
  findInMeeting(meetingId: string, signal: AbortSignal): Promise<LivestreamWithSessions[]>
  /** The livestream with the run that goes on; null when none does. @throws NotOffered */
  findActiveRun(livestreamId: string, signal: AbortSignal): Promise<ActiveRun | null>
  /** Null when the vendor has no such run. */
  findRun(id: string, signal: AbortSignal): Promise<LivestreamSession | null>
  /** The runs in one session of a meeting; null when the vendor has no such session. */
  findRunsOfSession(sessionId: string, page: Page, signal: AbortSignal): Promise<PageOfRuns | null>
  /** The meeting's livestreams among the newest of the account, each with the first page of its runs. */
  findRuns(meetingId: string, signal: AbortSignal): Promise<LivestreamWithSessions[]>
  /** One that belongs to no meeting: an encoder sends its video. Sent twice it makes two. */
  createLivestream(wish: Pick<LivestreamWish, 'name'>, signal: AbortSignal): Promise<LivestreamWithKey>
  /** Enables or disables; twice is the same as once. @throws LivestreamNotFound, NotOffered */
  setEnabled(id: string, enabled: boolean, signal: AbortSignal): Promise<LivestreamWithKey>
  /** The livestream with its new key. @throws LivestreamNotFound, NotOffered */
  resetStreamKey(id: string, signal: AbortSignal): Promise<LivestreamWithKey>
  /** Null when nobody is in the meeting, or the vendor doesn't know it: it answers both alike. */
  findActiveSession(meetingId: string, signal: AbortSignal): Promise<ActiveSession | null>
  /** Those whom it was done to. @throws ParticipantNotFound, also when nobody is there */
  onStage(meetingId: string, action: StageAction, whom: Participants, signal: AbortSignal): Promise<Participant[]>
  /** Does it to everybody, and gives their count. @throws NoActiveSession */
  onWholeStage(
    meetingId: string,
    action: StageAction,
    wish: { allow_unmute?: boolean },
    signal: AbortSignal
  ): Promise<number>
  /** A page of those who may join a meeting; empty also when the vendor doesn't know the meeting. */
  findParticipants(meetingId: string, page: Page, signal: AbortSignal): Promise<PageOf<MeetingParticipant>>
  /** Null when the vendor has no such participant in this meeting. */
  findParticipant(meetingId: string, id: string, signal: AbortSignal): Promise<MeetingParticipant | null>
  /** Sent twice it makes two. @throws MeetingNotFound */
  addParticipant(meetingId: string, wish: NewParticipant, signal: AbortSignal): Promise<Joining>
  /** Gives a new token as well. @throws ParticipantNotFound */
  updateParticipant(meetingId: string, id: string, change: ParticipantChange, signal: AbortSignal): Promise<Joining>
  /** The same. @throws ParticipantNotFound, NotOffered */
  replaceParticipant(meetingId: string, id: string, wish: ReplacedParticipant, signal: AbortSignal): Promise<Joining>
  /** Ends all of its tokens. @throws ParticipantNotFound */
  removeParticipant(meetingId: string, id: string, signal: AbortSignal): Promise<RemovedParticipant>
  /** One token more: those of before go on. @throws ParticipantNotFound */
  refreshToken(meetingId: string, id: string, signal: AbortSignal): Promise<Secret>
  /** A page of the account's presets. */
  findPresets(page: Page, signal: AbortSignal): Promise<PageOf<Preset>>
  /** Null when the account has no such preset. @throws UpstreamMalformed also where it does not say what it allows */
  findPreset(id: string, signal: AbortSignal): Promise<PresetRights | null>
  createMeeting(wish: NewMeeting, signal: AbortSignal): Promise<Meeting>
  /** Null when the vendor has no such meeting. */
  findMeeting(id: string, signal: AbortSignal): Promise<Meeting | null>
  /** A page of the account's meetings, the newest first as far as the vendor sorts them. */
  findMeetings(page: Page, signal: AbortSignal): Promise<Meeting[]>
  /** @throws MeetingNotFound */
  updateMeeting(id: string, change: MeetingChange, signal: AbortSignal): Promise<Meeting>
  /** Replaces a meeting. Fields that the wish leaves out are as in a new one, but for the status. @throws MeetingNotFound, NotOffered */
  replaceMeeting(id: string, wish: NewMeeting, signal: AbortSignal): Promise<Meeting>
  /** All webhooks of the account, also those of others. */
  listWebhooks(signal: AbortSignal): Promise<VendorWebhook[]>
  /** Sent twice it makes two. */
  addWebhook(wish: WebhookWish, signal: AbortSignal): Promise<VendorWebhook>
  changeWebhook(id: string, change: Partial<WebhookWish>, signal: AbortSignal): Promise<VendorWebhook>
  /** False when there was none any more. */
  removeWebhook(id: string, signal: AbortSignal): Promise<boolean>
}

/** Webhooks as the vendor of an account sends them. */
export interface UpstreamWebhooks {
  /** Null when nothing in these header fields could be a signature: then the body need not be read. */
  readEnvelope(headers: HeaderFields): WebhookEnvelope | null
  /** Whether the vendor has signed this body. It signs those of all of its customers with one key. @throws WebhookKeyUnavailable */
  isGenuine(envelope: WebhookEnvelope, body: Buffer): Promise<boolean>
  read(body: Buffer): ReadWebhook
  /** Asks for the key where it is not there yet. @throws WebhookKeyUnavailable */
  demandKey(): Promise<void>
  /** True while the key was needed, and could not be had last. */
  readonly isKeyMissing: boolean
}

/** State of an upstream. While the breaker is open, nothing goes out but stops and a trial call now and then. */
export interface UpstreamStatus {
  budget: BudgetStatus
  breaker: 'closed' | 'open'
  habits: KeptHabits
}

/** A vendor account that Livegate has credentials for, with the one quota that all its calls share. */
export interface Upstream {
  /** The tenant that owns all its meetings; null when they are assigned one by one. */
  readonly dedicatedTo: string | null
  /** The vendor, asked on such an errand. */
  on(errand: Errand): Provider
  /** Whether the vendor takes a credential of ours, shown by a read that harms nothing. @throws as a read does */
  verifyCredential(signal: AbortSignal): Promise<boolean>
  /**
   * Other credentials, the preferred one first. The vendor is asked about them, unless one is in use already: null when it takes
   * none, else what puts them to use. @throws as a read does
   */
  chooseCredential(all: readonly Secret[], signal: AbortSignal): Promise<(() => void) | null>
  readonly habits: VendorHabits
  readonly webhooks: UpstreamWebhooks
  /** The vendor's clock now, in epoch ms, at the earliest or the latest that the `Date` of its answers allows; null before its first answer. */
  vendorNowMs(bound: 'earliest' | 'latest'): number | null
  /** Position of the credential in use among the configured ones, and whether the vendor has refused it last. */
  credential(): { position: number; isRefused: boolean }
  /** State of quota and breaker, for the operator. */
  status(): UpstreamStatus
  tenants(): TenantUse[]
  /** Used calls of the quota, for the next process (`quota-file.ts`). */
  spent(): Spent[]
  /** Ends idle connections and lets calls under way finish. */
  close(): Promise<void>
}

/** The vendor accounts by name; `default` is the one of the environment. */
export type Upstreams = ReadonlyMap<string, Upstream>
