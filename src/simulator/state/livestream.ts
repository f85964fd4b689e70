import { randomBytes, randomUUID } from 'node:crypto'

/** The status values of both contracts (contract#l1-statuses, contract#livestream-statuses); a livestream shows only those of its contract. */
export type Status = 'INVOKED' | 'LIVE' | 'IDLE' | 'OFFLINE' | 'ERRORED'

/** One run of a livestream; the vendor calls it a livestream session. Times are epoch milliseconds. */
export interface Run {
  id: string
  livestreamId: string
  /** The session of the meeting in which it runs; null for an independent livestream. */
  sessionId: string | null
  invokedAt: number
  /** Time at which it turns, or would have turned, LIVE. */
  liveAt: number
  /** Time at which it ends or ended; null while nobody has stopped it. It lies ahead while a confirmed stop takes its time. */
  stoppedAt: number | null
  /** How, from then on. */
  ending: 'IDLE' | 'ERRORED' | null
}

export interface Livestream {
  id: string
  name: string | null
  meetingId: string | null
  streamKey: string
  playbackUrl: string
  disabled: boolean
  /** An encoder is to send the video of its last run, and no participant (contract#browser-starts). */
  manualIngest: boolean
  createdAt: number
  /** The last change by a caller; `changedAt` adds the ones that time makes. */
  editedAt: number
  /** Runs in the order in which they began. At most the last one is running. */
  runs: Run[]
}

/** The stream key is made here and now: a literal in the source would look like a leaked secret. */
export function newStreamKey(): string {
  return randomBytes(24).toString('hex')
}

export function newLivestream(
  meetingId: string | null,
  name: string | null,
  at: number,
  id: string = randomUUID()
): Livestream {
  return {
    id,
    name,
    meetingId,
    streamKey: newStreamKey(),
    playbackUrl: `https://playback.example/${randomUUID()}/manifest.m3u8`,
    disabled: false,
    manualIngest: false,
    createdAt: at,
    editedAt: at,
    runs: []
  }
}

/** Time at which the run ended; null while it goes on, also when it has been stopped already. */
export function endedAt({ stoppedAt }: Run, at: number): number | null {
  return stoppedAt !== null && stoppedAt <= at ? stoppedAt : null
}

/** The run that has not ended, INVOKED or LIVE. */
export function runningRun({ runs }: Livestream, at: number): Run | undefined {
  return runs.findLast(run => endedAt(run, at) === null)
}

/** Time at which the run became LIVE; null when it has not yet, or ended before. */
export function wentLiveAt(run: Run, at: number): number | null {
  return run.liveAt <= (endedAt(run, at) ?? at) ? run.liveAt : null
}

/**
 * INVOKED → LIVE → IDLE or ERRORED, the model of contract#status-flow; L1 says OFFLINE instead of INVOKED and IDLE (contract#l1-statuses).
 * A fresh independent livestream waits for an encoder: INVOKED, as the published example has it.
 */
export function statusOf({ runs }: Livestream, at: number, contract: 'L1' | 'L2'): Status {
  const run = runs.at(-1)
  const isOver = run !== undefined && endedAt(run, at) !== null
  if (isOver && run.ending === 'ERRORED') return 'ERRORED'
  if (isOver) return contract === 'L1' ? 'OFFLINE' : 'IDLE'
  if (run !== undefined && run.liveAt <= at) return 'LIVE'
  return contract === 'L1' ? 'OFFLINE' : 'INVOKED'
}

/** The latest of: invoked, live, stopped. */
export function runChangedAt(run: Run, at: number): number {
  return endedAt(run, at) ?? wentLiveAt(run, at) ?? run.invokedAt
}

export function changedAt(livestream: Livestream, at: number): number {
  return Math.max(livestream.editedAt, ...livestream.runs.slice(-1).map(run => runChangedAt(run, at)))
}

/** Seconds on air so far; 0 for a run that never went live. */
export function liveSeconds(run: Run, at: number): number {
  const from = wentLiveAt(run, at)
  return from === null ? 0 : ((endedAt(run, at) ?? at) - from) / 1_000
}
