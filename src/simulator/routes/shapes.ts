import { iso, isoOrNull } from '../answers.ts'
import { vendors } from '../dialects/vendors.ts'
import {
  changedAt,
  endedAt,
  type Livestream,
  liveSeconds,
  type Run,
  runChangedAt,
  runningRun,
  type Status,
  wentLiveAt
} from '../state/livestream.ts'
import type { VendorState } from '../state/state.ts'

/** A livestream session as L2 answers it (contract#livestream-session). */
export interface LivestreamSession {
  id: string
  livestream_id: string
  err_message: string | null
  invoked_time: string | null
  /** Null until the run is LIVE. */
  started_time: string | null
  stopped_time: string | null
  created_at: string
  updated_at: string
  ingest_seconds: number
  viewer_seconds: number
}

/** The truth about a livestream, for tests: whatever a fault did to an answer, this is the state behind it. */
export interface SimulatedLivestream {
  id: string
  meeting_id: string | null
  status: Status
  stream_key: string
  /** Its run has been stopped, and goes on for a while (`stoppingForMs`). */
  stopping: boolean
  /** Count of its runs: two, where one was asked for, is the mistake that a gateway must not make. */
  starts: number
  sessions: LivestreamSession[]
}

/** Its path differs from vendor to vendor (contract#livestream). */
export function ingestServer({ settings }: VendorState): string {
  return `rtmps://ingest.example:443${vendors[settings.vendor].ingestPath}`
}

/** L2's full livestream object (contract#livestream). */
export function livestreamL2(state: VendorState, livestream: Livestream): object {
  return { ...withoutKey(state, livestream), ingest_server: ingestServer(state), stream_key: livestream.streamKey }
}

/** L2's `active-livestream`: where and with which key to send video is in the schema, not in the example (contract#active-stream-key). */
export function activeL2(state: VendorState, livestream: Livestream): object {
  return state.settings.activeShowsStreamKey ? livestreamL2(state, livestream) : withoutKey(state, livestream)
}

function withoutKey(state: VendorState, livestream: Livestream): object {
  const { id, name, meetingId, playbackUrl, createdAt, disabled, manualIngest } = livestream
  return {
    id,
    name,
    status: state.status(livestream),
    meeting_id: meetingId,
    playback_url: playbackUrl,
    created_at: iso(createdAt),
    updated_at: iso(changedAt(livestream, state.now())),
    disabled,
    ...(manualIngest && { manual_ingest: true })
  }
}

/** L2's answer to creating an independent livestream. */
export function createdL2(state: VendorState, livestream: Livestream): object {
  return { ...startedL2(state, livestream), name: livestream.name, meeting_id: null, disabled: livestream.disabled }
}

/** L2's answer to a start: these five fields only (contract#start-answer). */
export function startedL2(state: VendorState, livestream: Livestream, status = state.status(livestream)): object {
  const { id, streamKey, playbackUrl } = livestream
  return { status, ingest_server: ingestServer(state), id, stream_key: streamKey, playback_url: playbackUrl }
}

/** L1's livestream object (contract#l1-livestream): no times, no `disabled`. */
export function livestreamL1(state: VendorState, livestream: Livestream): object {
  const at = state.now()
  const seconds = livestream.runs.reduce((sum, run) => sum + liveSeconds(run, at), 0)
  return { ...startedL1(state, livestream), ingest_seconds: seconds, viewer_seconds: viewerSeconds(seconds) }
}

/** L1's answer to a start: the object without its seconds. */
export function startedL1(state: VendorState, livestream: Livestream, status = state.status(livestream)): object {
  return { ...startedL2(state, livestream, status), name: livestream.name, meeting_id: livestream.meetingId }
}

/** The seconds read 60 until about 45 s have passed, as the vendor's do (contract#session-seconds). */
export function sessionL2(state: VendorState, run: Run): LivestreamSession {
  const at = state.now()
  const startedAt = wentLiveAt(run, at)
  const seconds = liveSeconds(run, at)
  const stoppedAt = endedAt(run, at)
  const early = startedAt !== null && seconds < 45
  return {
    id: run.id,
    livestream_id: run.livestreamId,
    err_message: stoppedAt !== null && run.ending === 'ERRORED' ? 'The livestream ended with an error' : null,
    invoked_time: iso(run.invokedAt),
    started_time: isoOrNull(startedAt),
    stopped_time: isoOrNull(stoppedAt),
    created_at: iso(run.invokedAt),
    updated_at: iso(runChangedAt(run, at)),
    ingest_seconds: early ? 60 : seconds,
    viewer_seconds: early ? 60 : viewerSeconds(seconds)
  }
}

export function truth(state: VendorState, livestream: Livestream): SimulatedLivestream {
  return {
    id: livestream.id,
    meeting_id: livestream.meetingId,
    status: state.status(livestream),
    stream_key: livestream.streamKey,
    stopping: runningRun(livestream, state.now())?.stoppedAt != null,
    starts: livestream.runs.length,
    sessions: livestream.runs.map(run => sessionL2(state, run))
  }
}

/** A little less than what came in, and fractional, like the vendor's figures. */
function viewerSeconds(ingestSeconds: number): number {
  return ingestSeconds * 0.984
}
