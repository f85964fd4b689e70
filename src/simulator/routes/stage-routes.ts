import { type SimulatedAnswer, success } from '../answers.ts'
import { boolean } from '../rules.ts'
import type { MeetingSession } from '../state/meeting-session.ts'
import { activeSession, namedParticipants, participantShape, removeParticipants, sessionShape } from '../state/stage.ts'
import type { VendorState } from '../state/state.ts'
import { inTime, paged, sorted, word } from './lists.ts'
import type { Routes, SimulatedCall } from './route.ts'
import { sessionL2 } from './shapes.ts'

/** People in a meeting, and the sessions in which they met (contract#active-session, contract#stage-operations). */
export function stageRoutes(state: VendorState): Routes {
  const shape = (session: MeetingSession): object => sessionShape(session, state.settings.org, state.now())
  const session = (id: string): MeetingSession => state.find(state.sessions, 'session', id)
  const onStage = '/meetings/{id}/active-session'
  return {
    [`GET ${onStage}`]: ({ id }) => success(shape(activeSession(state.meeting(id)))),
    [`POST ${onStage}/kick`]: ({ id, body }) => {
      const meeting = state.meeting(id)
      const current = activeSession(meeting)
      const kicked = namedParticipants(current, body)
      removeParticipants(meeting, current, kicked, state.now())
      return success({ action: 'kick', participants: kicked.map(participantShape) })
    },
    [`POST ${onStage}/kick-all`]: ({ id }) => {
      const meeting = state.meeting(id)
      const current = activeSession(meeting)
      const { length } = current.participants
      removeParticipants(meeting, current, current.participants, state.now())
      return success({ action: 'kick-all', kicked_participants_count: length })
    },
    [`POST ${onStage}/mute`]: ({ id, body }) => {
      const muted = namedParticipants(activeSession(state.meeting(id)), body)
      return success({ action: 'mute', participants: muted.map(participantShape) })
    },
    [`POST ${onStage}/mute-all`]: ({ id, body }) => {
      state.checkBody({ allow_unmute: boolean }, body)
      const { length } = activeSession(state.meeting(id)).participants
      return success({ action: 'mute-all', muted_participants_count: length })
    },
    'GET /sessions': call => success({ sessions: list(state, call).map(shape) }),
    'GET /sessions/{id}': ({ id }) => success({ session: shape(session(id)) }),
    ...(state.settings.contract === 'L2' && {
      'GET /sessions/{id}/livestream-sessions': ({ id, query }) => livestreamSessions(state, session(id), query)
    })
  }
}

/** `sort_by` and `participants` are accepted and do nothing. */
function list(state: VendorState, { query }: SimulatedCall): MeetingSession[] {
  const status = word(query, 'status', ['LIVE', 'ENDED'])
  const meetingId = query.get('associated_id')
  const search = (query.get('search') ?? '').toLowerCase()
  const isInTime = inTime(query)
  const wanted = sorted(state.sessions.values(), query, 'DESC')
    .filter(one => status === null || (one.endedAt === null) === (status === 'LIVE'))
    .filter(one => meetingId === null || one.meetingId === meetingId)
    .filter(one => isInTime(one.startedAt) && one.title.toLowerCase().includes(search))
  return paged(wanted, query).page
}

/** The published example puts the list and its paging one level deeper than elsewhere (contract#two-published-forms). */
function livestreamSessions(state: VendorState, session: MeetingSession, query: URLSearchParams): SimulatedAnswer {
  const runs = [...state.runs.values()].filter(run => run.sessionId === session.id)
  const { page, paging } = paged(runs.reverse(), query)
  const [first] = page
  // The schema has the fields of one of them beside the paging.
  if (state.settings.lists === 'schema') return success({ ...(first && sessionL2(state, first)), paging })
  return success({ data: page.map(run => sessionL2(state, run)), paging })
}
