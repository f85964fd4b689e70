import { NotOffered } from '../../../domain/refusals/failures.ts'
import { expectId } from '../../contract/contract.ts'
import { NoRoute } from '../../contract/refusals.ts'
import type { Provider, VendorHabits } from '../../provider.ts'
import type { Send } from '../../transport/call.ts'
import { dyteProvider } from '../dyte/dyte.ts'

/**
 * Cloudflare RealtimeKit: contract L2 behind another address (contract#realtimekit-differences). Operations that its client
 * has dropped (contract#dropped-operations) are tried: a vendor that answers has them, and one without a route does not.
 */
export function realtimekitProvider(send: Send, habits: VendorHabits): Provider {
  const l2 = dyteProvider(send, habits)
  return {
    ...l2,

    /** Takes the meeting's livestream from the list of all: the path of its own was dropped. */
    async findOfMeeting(meetingId, page, signal) {
      const [newest] = await l2.findRuns(meetingId, signal)
      if (newest === undefined) return null
      const found = await l2.findLivestream(newest.livestream.id, page, signal)
      // It shows a stream key: an answer that doesn't say whose it is might be another tenant's.
      if (found !== null) expectId('meeting', meetingId, found.livestream.meeting_id ?? 'none')
      return found
    },

    /** Refused: the dropped path was the only way to it. */
    async findInMeeting() {
      throw new NotOffered()
    },

    createLivestream: (wish, signal) => ifOffered(l2.createLivestream(wish, signal)),
    setEnabled: (id, enabled, signal) => ifOffered(l2.setEnabled(id, enabled, signal)),
    resetStreamKey: (id, signal) => ifOffered(l2.resetStreamKey(id, signal)),
    replaceParticipant: (...asked) => ifOffered(l2.replaceParticipant(...asked)),
    findRunsOfSession: (id, page, signal) => ifOffered(l2.findRunsOfSession(id, page, signal)),

    onStage(meetingId, action, whom, signal) {
      const done = l2.onStage(meetingId, action, whom, signal)
      return action === 'mute' ? ifOffered(done) : done
    },
    onWholeStage(meetingId, action, wish, signal) {
      const done = l2.onWholeStage(meetingId, action, wish, signal)
      return action === 'mute' ? ifOffered(done) : done
    }
  }
}

/** @throws NotOffered instead of NoRoute */
async function ifOffered<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof NoRoute)) throw error
    const mutation = error.outcome !== undefined
    throw new NotOffered({ cause: error, ...(mutation && { outcome: 'failed' }) })
  }
}
