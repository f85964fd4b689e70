/**
 * A broadcast run: one broadcast of a livestream, from its start to its end (docs/ledger.md). `starting`: our start is under way, or
 * its answer was lost. `invoked`: the vendor has begun it, and it is not on air yet. `errored`: the vendor broke it, or our start came to
 * nothing; then it has no livestream.
 */
export const runStatuses = ['starting', 'invoked', 'live', 'ended', 'errored'] as const
export type RunStatus = (typeof runStatuses)[number]

/** Causes of an end. */
export const runEnders = [
  'tenant',
  'operator',
  'max_duration',
  'minutes_spent',
  'never_live',
  'meeting_ended',
  'meeting_inactive',
  'suspended',
  'outside',
  'vendor_error'
] as const
export type RunEnder = (typeof runEnders)[number]

/** All that decides when a run is ended by Livegate. Times are epoch milliseconds of our clock. */
export interface RunEnd {
  /** The end by its duration. */
  readonly deadlineAtMs: number | null
  readonly maxDurationSeconds: number | null
  /** Cause for which its stop was ordered. */
  readonly endingBy: RunEnder | null
  /** Time at which the tenant's minutes of the month are spent, as far as it is near. */
  readonly spentAtMs: number | null
  /** End that its tenant was warned of. */
  readonly warnedForMs: number | null
  /** Session of its meeting that was seen last during the run, and when a look first showed that it is gone. */
  readonly meetingSessionId: string | null
  readonly sessionGoneAtMs: number | null
}

/** Cause for which a run is about to be stopped. One that has gone on air meanwhile is not stopped for being late. */
export function causeOf({ endingBy, status }: Pick<Run, 'endingBy' | 'status'>): RunEnder | null {
  return endingBy === 'never_live' && status === 'live' ? null : endingBy
}

export const noRunEnd: RunEnd = {
  deadlineAtMs: null,
  maxDurationSeconds: null,
  endingBy: null,
  spentAtMs: null,
  warnedForMs: null,
  meetingSessionId: null,
  sessionGoneAtMs: null
}

/** A run as it is known. Times are epoch milliseconds of our clock. */
export interface Run extends RunEnd {
  readonly id: string
  readonly tenantId: string
  readonly upstream: string
  /** Null for a livestream without a meeting. */
  readonly meetingId: string | null
  /** Null until the vendor has named it. */
  readonly livestreamId: string | null
  /** The vendor's livestream session; null until a look has shown it. */
  readonly sessionId: string | null
  /** The start that began it; null when it was begun outside of Livegate. */
  readonly operationId: string | null
  readonly status: RunStatus
  readonly invokedAtMs: number | null
  readonly liveAtMs: number | null
  readonly endedAtMs: number | null
  /** Null while it goes on, and for a start that came to nothing. */
  readonly endedBy: RunEnder | null
  readonly playbackUrl: string | null
  /** No participant of the meeting sends its video, as far as is known. */
  readonly isManual: boolean
  /** Looks that have shown nothing of it since it was seen last, and when the first of them did. */
  readonly quietLooks: number
  readonly quietAtMs: number | null
  readonly createdAtMs: number
  /** Counts its moves. */
  readonly revision: number
}

export const runEventTypes = [
  'livestream.starting',
  'livestream.live',
  'livestream.ending_soon',
  'livestream.ended',
  'livestream.errored'
] as const
export type RunEventType = (typeof runEventTypes)[number]

/**
 * A move of a run that its tenant is told of. Each type comes once a run at most, but for `ending_soon`: another end that is later is
 * warned of again. It never has a stream key.
 */
export interface RunEvent
  extends Pick<Run, 'tenantId' | 'upstream' | 'meetingId' | 'livestreamId' | 'status' | 'playbackUrl'> {
  readonly runId: string
  readonly type: RunEventType
  /** Cause of an end, or the cause that it is about to end for. */
  readonly reason: string | null
  readonly atMs: number
}

/** The vendor's livestream session, in epoch ms of our clock: the one that goes on, or the newest. */
export interface SeenSession {
  readonly id: string
  readonly invokedAtMs: number | null
  readonly startedAtMs: number | null
  readonly stoppedAtMs: number | null
}

/** Place of a run, and when something was heard of it. */
interface NewsOf extends Pick<Run, 'tenantId' | 'upstream' | 'meetingId'> {
  readonly atMs: number
}

/** Our start is about to go out: its run has this id. */
export interface SentNews extends NewsOf {
  readonly kind: 'sent'
  readonly runId: string
  readonly operationId: string
  readonly maxDurationSeconds?: number | null
  readonly deadlineAtMs?: number | null
  readonly isManual?: boolean
}

/** The vendor has said yes to it, or a look has shown what it began. */
export interface StartedNews extends NewsOf {
  readonly kind: 'started'
  readonly operationId: string
  readonly livestreamId: string
  /** The vendor's word. */
  readonly status: string
  readonly playbackUrl: string | null
}

/** It came to nothing, or another one was live already. */
export interface RefusedNews extends NewsOf {
  readonly kind: 'refused'
  readonly operationId: string
}

/** The vendor shows this livestream. */
export interface SeenNews extends NewsOf {
  readonly kind: 'seen'
  readonly livestreamId: string
  /** The vendor's word. */
  readonly status: string
  readonly session: SeenSession | null
  readonly playbackUrl: string | null
  /** An encoder sends its video. Absent: the vendor does not say so. */
  readonly isManual?: boolean
}

/** A look shows nothing of this livestream; without one nothing in the meeting. */
export interface GoneNews extends NewsOf {
  readonly kind: 'gone'
  readonly livestreamId: string | null
}

/** The vendor has confirmed our stop of the meeting, or two looks after it show nothing. */
export interface StoppedNews extends NewsOf {
  readonly kind: 'stopped'
  /** The run that was seen last; null when none is known. */
  readonly livestreamId: string | null
  readonly endedBy: RunEnder
}

/** Something of its end is decided. */
export interface EndNews extends NewsOf {
  readonly kind: 'end'
  readonly runId: string
  readonly livestreamId: string | null
  readonly change: Partial<RunEnd>
  /** Cause of the end that its tenant is warned of. */
  readonly reason?: RunEnder
}

/** News of a run, as a source tells it. */
export type RunNews = SentNews | StartedNews | RefusedNews | SeenNews | GoneNews | StoppedNews | EndNews

/** The rest that a move depends on. */
export interface MoveHow {
  /** Id of a run that is found. */
  newId: string
  /** For so long after a start or an end the vendor may contradict it. */
  settleMs: number
  /** Cause of an end that a look shows. */
  endedBy: RunEnder
}

/** A run that was moved. `before` is null for one that is new. */
export interface Move {
  before: Run | null
  after: Run
  events: RunEvent[]
}

/** Types of the events that tell of a new state. */
export const eventTypeOf = {
  invoked: 'livestream.starting',
  live: 'livestream.live',
  ended: 'livestream.ended',
  errored: 'livestream.errored'
} as const satisfies Partial<Record<Run['status'], RunEventType>>
