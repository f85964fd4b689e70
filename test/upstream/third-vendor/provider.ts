import type { LivestreamWithKey } from '../../../src/domain/livestream.ts'
import { LiveElsewhere, NotOffered, UpstreamMalformed } from '../../../src/domain/refusals/failures.ts'
import { path, saidIn } from '../../../src/upstream/contract/contract.ts'
import { at } from '../../../src/upstream/contract/vendor-words.ts'
import type { Provider } from '../../../src/upstream/provider.ts'
import type { Send } from '../../../src/upstream/transport/call.ts'

const notOffered = async (): Promise<never> => {
  throw new NotOffered()
}

/** A room has one show at a time. The API has no word for anything else. */
export function roomcastProvider(send: Send): Provider {
  return {
    async start(meetingId, _wish, signal) {
      const answer = await send({ method: 'PUT', path: path`/rooms/${meetingId}/show`, signal }, [409])
      if (answer.status === 409) throw new LiveElsewhere(saidIn(answer))
      return toLivestream(answer.body)
    },
    async findActive(meetingId, signal) {
      const { status, body } = await send({ method: 'GET', path: path`/rooms/${meetingId}/show`, signal }, [404])
      return status === 404 ? null : toLivestream(body)
    },
    async stop(meetingId, signal) {
      const call = { method: 'POST', path: path`/rooms/${meetingId}/show/end`, signal } as const
      const { status, dateMs } = await send(call, [404])
      return { stopped: status !== 404, dateMs }
    },
    async findRunning(signal) {
      const { body } = await send({ method: 'GET', path: path`/rooms`, signal })
      const rooms = at(body, 'rooms')
      if (!Array.isArray(rooms)) throw new UpstreamMalformed()
      return { livestreams: rooms.map(toLivestream), unreadIn: new Set() }
    },
    findRuns: async () => [],
    findLivestream: async () => null,
    findOfMeeting: async () => null,
    findRun: async () => null,
    findRunsOfSession: async () => null,
    findActiveSession: async () => null,
    findMeeting: async () => null,
    findMeetings: async () => [],
    findParticipants: async () => ({ items: [], paging: { total_count: 0, start_offset: 0, end_offset: 0 } }),
    findParticipant: async () => null,
    findPresets: notOffered,
    findPreset: notOffered,
    addParticipant: notOffered,
    updateParticipant: notOffered,
    replaceParticipant: notOffered,
    removeParticipant: notOffered,
    refreshToken: notOffered,
    findInMeeting: notOffered,
    findActiveRun: notOffered,
    createLivestream: notOffered,
    setEnabled: notOffered,
    resetStreamKey: notOffered,
    onStage: notOffered,
    onWholeStage: notOffered,
    createMeeting: notOffered,
    updateMeeting: notOffered,
    replaceMeeting: notOffered,
    listWebhooks: async () => [],
    addWebhook: notOffered,
    changeWebhook: notOffered,
    removeWebhook: notOffered
  }
}

function toLivestream(show: unknown): LivestreamWithKey {
  const [id, room, isOnAir] = [at(show, 'show'), at(show, 'room'), at(show, 'on_air')]
  if (typeof id !== 'string' || typeof room !== 'string') throw new UpstreamMalformed({ outcome: 'unknown' })
  return { id, meeting_id: room, status: isOnAir === true ? 'LIVE' : 'INVOKED' }
}
