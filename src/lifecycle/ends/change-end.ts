import type { EndNews, Run, RunEnder } from '../../domain/runs/run.ts'
import { isOpenRun, moveRuns } from '../../domain/runs/run-moves.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { Conflict, type Engine, type Statement } from '../../store/engine/engine.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'
import { MeetingQueue } from '../broadcast/meeting-queue.ts'
import type { OpenRuns, RunHub } from '../ledger/hub.ts'

export interface ChangeEndDeps {
  engine: Pick<Engine, 'write'>
  runs: Pick<BroadcastRuns, 'concerned' | 'moved'>
  hub: Pick<RunHub, 'committed'>
  openRuns: Pick<OpenRuns, 'forget'>
  clock: Pick<Clock, 'now' | 'monotonic'>
  settleMs: number
}

/** A decision about the end of a run, as it is now. */
export interface Decided {
  change: EndNews['change']
  /** Cause of the end that its tenant is warned of. */
  reason?: RunEnder
  /** Rows for the same transaction. */
  also?: Statement[]
  /** Writes them all in another way than at once. @param after the run as it will be. @throws Conflict */
  write?(rows: Statement[], after: Run): Promise<unknown>
}

/**
 * Writes a decision about the end of a run, by compare-and-set: when somebody has moved the run meanwhile, it is decided anew. Gives the
 * run as it is then; null when it is over. @param decide null: nothing is to be written. @throws what the store throws
 */
export type ChangeEnd = (run: Run, decide: (now: Run) => Decided | null) => Promise<Run | null>

const tries = 5

export function changeEnd({ engine, runs, hub, openRuns, clock, settleMs }: ChangeEndDeps): ChangeEnd {
  /** Decisions about one run wait for each other; all else that moves it is met by compare-and-set. */
  const queues = new MeetingQueue<never, never>(clock)
  return (run, decide) => queues.inTurn(run.id, () => change(run, decide))

  async function change(
    { id: runId, tenantId, upstream, meetingId, livestreamId }: Run,
    decide: (now: Run) => Decided | null
  ): Promise<Run | null> {
    for (let left = tries; ; left--) {
      const place = { tenantId, upstream, meetingId, livestreamId, atMs: clock.now() }
      const asked: EndNews = { kind: 'end', ...place, runId, change: {} }
      const now = (await runs.concerned(asked)).find(({ id }) => id === runId)
      if (now === undefined || !isOpenRun(now)) {
        openRuns.forget(runId)
        return null
      }
      const decided = decide(now)
      if (decided === null) return now
      const { change, reason, also = [], write = rows => engine.write(rows) } = decided
      const news: EndNews = { ...asked, change, ...(reason !== undefined && { reason }) }
      const moves = moveRuns([now], news, { newId: runId, settleMs, endedBy: 'outside' })
      try {
        await write([...moves.flatMap(move => runs.moved(move, false)), ...also], moves[0]?.after ?? now)
      } catch (error) {
        if (error instanceof Conflict && left > 1) continue
        throw error
      }
      hub.committed(moves.map(({ after: run, events }) => ({ run, events })))
      return moves[0]?.after ?? now
    }
  }
}
