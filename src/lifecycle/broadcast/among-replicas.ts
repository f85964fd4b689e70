import { fromPlace, placeOf } from '../../domain/id.ts'
import type { OwnedMeeting, PlacedMeeting } from '../../domain/meeting.ts'
import type { MeetingTurn } from '../../domain/meeting-turns.ts'
import { StartUnsettled, StopUnderWay } from '../../domain/refusals/failures.ts'
import type { Replicas } from '../../domain/replicas.ts'
import { sentOnlyWhile } from '../../domain/values/sending.ts'
import { waitBriefly } from '../context.ts'
import type { RecallOthers } from '../running/recall-others.ts'
import { beforeSending } from './before-sending.ts'
import type { MeetingQueue } from './meeting-queue.ts'

export interface AmongReplicasDeps {
  replicas: Pick<Replicas, 'turns' | 'isOnly'>
  recallOthers: RecallOthers
  queue: Pick<MeetingQueue<unknown, unknown>, 'inTurn'>
  deadlineMs: number
}

/** A stop waits no longer than this behind the stop of another replica. */
const behindStopMs = 250

/** A turn that ends with its block. */
export interface HeldTurn extends Disposable {
  /** Whether it may have been waited for: then permission is to be asked for again. */
  readonly waited: boolean
  /** Bounds what is sent: nothing goes out whose call might outlast the turn. */
  bound(signal: AbortSignal): void
}

/**
 * Has starts and stops of a meeting follow each other over all replicas, as the queue of a meeting has those of one process. Whoever has the
 * turn knows what another replica has done last.
 */
export interface AmongReplicas {
  /** @throws StartUnsettled, `not_sent`, when another replica has the turn for as long as a call may take; StoreError */
  start(meeting: OwnedMeeting): Promise<HeldTurn>
  /** A stop goes on without a turn: a moment behind another stop, a call's time behind a start, and at once without the store. */
  stop(meeting: OwnedMeeting): Promise<HeldTurn>
  /** The queue for work that nobody waits for. @throws StopUnderWay when another replica has the turn */
  queue: Pick<MeetingQueue<unknown, unknown>, 'inTurn'>
}

/** Alone, nobody is waited for. */
const free: HeldTurn = { waited: false, bound() {}, [Symbol.dispose]() {} }

export function amongReplicas({ replicas, recallOthers, queue, deadlineMs }: AmongReplicasDeps): AmongReplicas {
  const { turns } = replicas
  const held = (turn: MeetingTurn | null): HeldTurn => ({
    waited: true,
    bound: signal => void (turn !== null && sentOnlyWhile(signal, () => turn.lastsFor(deadlineMs))),
    [Symbol.dispose]: () => turn?.end()
  })

  async function knowing(place: PlacedMeeting, turn: MeetingTurn): Promise<MeetingTurn> {
    await recallOthers(place).catch(error => {
      turn.end()
      throw error
    })
    return turn
  }

  return {
    async start(meeting) {
      if (replicas.isOnly) return free
      const wait = { start: deadlineMs, stop: deadlineMs }
      const turn = await beforeSending(turns.take(placeOf(meeting), 'start', wait))
      if (turn === null) throw new StartUnsettled({ outcome: 'not_sent', retryAfterSeconds: 1 })
      return held(await beforeSending(knowing(meeting, turn)))
    },

    async stop(meeting) {
      if (replicas.isOnly) return free
      const wait = { start: deadlineMs, stop: behindStopMs }
      const turn = await turns.take(placeOf(meeting), 'stop', wait).catch(() => null)
      await waitBriefly(recallOthers(meeting), behindStopMs).catch(() => {})
      return held(turn)
    },

    queue: {
      inTurn: (place, work) =>
        queue.inTurn(place, async mine => {
          if (replicas.isOnly) return work(mine)
          const turn = await turns.take(place, 'stop', { start: 0, stop: 0 })
          if (turn === null) throw new StopUnderWay({ outcome: 'unknown', retryAfterSeconds: 1 })
          await knowing(fromPlace(place), turn)
          return work(mine).finally(() => turn.end())
        })
    }
  }
}
