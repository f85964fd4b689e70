import type { Operation } from '../../domain/operation.ts'
import type { Run, RunNews } from '../../domain/runs/run.ts'
import type { Livestreams, UnfinishedLivestream } from '../../store/tables/livestreams.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import type { Ledger } from './ledger.ts'

export interface TakeOverRunsDeps {
  ledger: Pick<Ledger, 'note'>
  runs: Pick<BroadcastRuns, 'open' | 'lastOf'>
  operations: Pick<Operations, 'find' | 'lastStart'>
  livestreams: Pick<Livestreams, 'unfinishedOfAll'>
}

/**
 * Before the first call: gives the ledger what another process did not come to tell it. Runs that went on when this version started first
 * have their rows from what was seen of them. @throws what the store throws
 */
export async function takeOverRuns(deps: TakeOverRunsDeps): Promise<void> {
  await settleStarts(deps)
  const { ledger, runs, operations, livestreams } = deps
  for (const one of await livestreams.unfinishedOfAll()) {
    // A run of later is for a look to find: nothing else tells it from the one that the ledger knows.
    if ((await runs.lastOf(one.upstream, one.id)) !== null) continue
    const { meetingId, upstream } = one
    const start = meetingId === null ? null : await operations.lastStart({ id: meetingId, upstream })
    await ledger.note(start?.livestreamId === one.id ? begunBy(start, one) : shown(one))
  }
}

/** Ends `starting` for the runs of starts that are settled, by hand perhaps. */
export async function settleStarts({
  ledger,
  runs,
  operations
}: Pick<TakeOverRunsDeps, 'ledger'> & {
  runs: Pick<BroadcastRuns, 'open'>
  operations: Pick<Operations, 'find'>
}): Promise<void> {
  for (const run of await runs.open()) {
    if (run.status !== 'starting' || run.operationId === null) continue
    const start = await operations.find(run.operationId)
    const isOpen = start !== null && (start.state === 'sent' || start.state === 'unknown')
    if (!isOpen) await ledger.note(cameTo(run, run.operationId, start))
  }
}

function cameTo(run: Run, operationId: string, start: Operation | null): RunNews {
  const { tenantId, upstream, meetingId, createdAtMs } = run
  const place = { tenantId, upstream, meetingId, operationId }
  // A start that is done may have been answered with what a browser had begun, or was resolved by hand.
  const hasBegun = start?.state === 'done' && start.answer?.status === 201
  const livestreamId = start?.livestreamId ?? null
  if (!hasBegun || livestreamId === null) {
    return { kind: 'refused', ...place, atMs: start?.settledAtMs ?? createdAtMs }
  }
  return {
    kind: 'started',
    ...place,
    livestreamId,
    status: 'INVOKED',
    playbackUrl: null,
    atMs: start.settledAtMs ?? createdAtMs
  }
}

function begunBy(start: Pick<Operation, 'id' | 'sentAtMs'>, one: UnfinishedLivestream): RunNews {
  const { id: livestreamId, tenantId, upstream, meetingId, status } = one
  const place = { tenantId, upstream, meetingId, operationId: start.id, livestreamId }
  return { kind: 'started', ...place, status, playbackUrl: null, atMs: start.sentAtMs }
}

function shown({
  id: livestreamId,
  tenantId,
  upstream,
  meetingId,
  status,
  observedAtMs
}: UnfinishedLivestream): RunNews {
  const place = { tenantId, upstream, meetingId, livestreamId }
  return { kind: 'seen', ...place, status, session: null, playbackUrl: null, atMs: observedAtMs }
}
