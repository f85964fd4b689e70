import { noRunEnd, type Run, type RunEventType } from '../../../src/domain/runs/run.ts'
import type { Store } from '../../../src/store/store.ts'
import { broadcastRunsIn } from '../../../src/store/tables/runs/broadcast-runs.ts'

let made = 0

/** A run of its own, live unless told otherwise. */
export function runOf(more: Partial<Run> = {}): Run {
  made += 1
  return {
    id: `run-${made}`,
    tenantId: 'acme',
    upstream: 'default',
    meetingId: 'm1',
    livestreamId: `ls-${made}`,
    sessionId: null,
    operationId: null,
    status: 'live',
    invokedAtMs: 1_000,
    liveAtMs: 2_000,
    endedAtMs: null,
    endedBy: null,
    ...noRunEnd,
    isManual: false,
    playbackUrl: 'https://playback.example/1.m3u8',
    quietLooks: 0,
    quietAtMs: null,
    createdAtMs: 1_000,
    revision: 1,
    ...more
  }
}

/** Commits so many events, each of a run of its own, in one transaction. As another process would: no hub hears of it. */
export async function commitEvents(
  store: Store,
  count: number,
  more: Partial<Run> = {},
  type: RunEventType = 'livestream.live'
): Promise<void> {
  const runs = broadcastRunsIn(store)
  const moves = Array.from({ length: count }, () => {
    const run = runOf(more)
    const { id: runId, tenantId, upstream, meetingId, livestreamId, status, playbackUrl } = run
    const place = { runId, tenantId, upstream, meetingId, livestreamId, status, playbackUrl }
    return { before: null, after: run, events: [{ ...place, type, reason: null, atMs: 2_000 }] }
  })
  await store.engine.write(moves.flatMap(move => runs.moved(move, false)))
}
