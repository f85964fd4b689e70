import { Refusal, type SimulatedAnswer, success } from '../answers.ts'
import { vendors } from '../dialects/vendors.ts'
import type { Rules } from '../rules.ts'
import {
  knownFields,
  type Meeting,
  type MeetingFields,
  meetingShape,
  partOfMeeting,
  pick,
  wholeMeeting
} from '../state/meeting.ts'
import type { VendorState } from '../state/state.ts'
import { inTime, paged, sorted, word } from './lists.ts'
import { oneL2, pageL1, sessionsPage } from './livestream-routes.ts'
import type { Routes, SimulatedCall } from './route.ts'
import { livestreamL2 } from './shapes.ts'

/**
 * Fields that are taken too, and nothing made of them: those that another vendor has (`preferred_region` was met so on
 * RealtimeKit), and the status where a meeting is replaced.
 */
const accepted = knownFields

/** Meetings, and the livestreams that they had (contract#operations). */
export function meetingRoutes(state: VendorState): Routes {
  const { contract, vendor } = state.settings
  const whole = wholeMeeting(vendor)
  return {
    'POST /meetings': ({ body }) => {
      state.checkBody(whole, body, accepted)
      return success(meetingShape(state.addMeeting(pick(whole, body)), vendor), 201)
    },
    'GET /meetings': call => list(state, call),
    'GET /meetings/{id}': ({ id }) => success(meetingShape(state.meeting(id), vendor)),
    'PATCH /meetings/{id}': call => edit(state, call, partOfMeeting(vendor), fields => fields),
    ...(contract === 'L1' ? routesL1(state) : routesL2(state))
  }
}

function routesL1(state: VendorState): Routes {
  return {
    'GET /meetings/{id}/livestreams': ({ id, query }) =>
      pageL1(state, state.meeting(id).livestreams.toReversed(), query)
  }
}

function routesL2(state: VendorState): Routes {
  return {
    // A meeting's status is set by PATCH only, so that replacing the rest does not bring it back to life.
    'PUT /meetings/{id}': call =>
      edit(state, call, wholeMeeting(state.settings.vendor), ({ status }) => ({ ...(status && { status }) })),
    'GET /meetings/{id}/livestream': ({ id, query }) => {
      const livestreams = state.meeting(id).livestreams.toReversed()
      const [latest] = livestreams
      if (!latest) throw new Refusal(404, `No livestream found for meeting_id ${id}`)
      if (state.settings.lists === 'example') return oneL2(state, latest, query)
      const { sessions, paging } = sessionsPage(state, latest, query)
      const shown = livestreams.map(one => livestreamL2(state, one))
      return success({ livestreams: shown, sessions: sessions[0] ?? null, paging })
    }
  }
}

function list(state: VendorState, { query }: SimulatedCall): SimulatedAnswer {
  const isInTime = inTime(query)
  const isWanted = hasStatus(state, query)
  const search = (query.get('search') ?? '').toLowerCase()
  const wanted = sorted(state.meetings.values(), query)
    .filter(one => isInTime(one.createdAt) && isWanted(one))
    .filter(one => one.id.includes(search) || (one.fields.title ?? '').toLowerCase().includes(search))
  const { page, paging } = paged(wanted, query)
  return {
    status: 200,
    body: { success: true, data: page.map(one => meetingShape(one, state.settings.vendor)), paging }
  }
}

/** Not every vendor has the filter `status` (contract#realtimekit-meetings). */
function hasStatus({ settings }: VendorState, query: URLSearchParams): (meeting: Meeting) => boolean {
  const status = vendors[settings.vendor].filtersMeetings ? word(query, 'status', ['ACTIVE', 'INACTIVE']) : null
  return ({ fields }) => status === null || (fields.status ?? 'ACTIVE') === status
}

function edit(
  state: VendorState,
  { id, body }: SimulatedCall,
  rules: Rules,
  kept: (fields: MeetingFields) => MeetingFields
): SimulatedAnswer {
  const meeting = state.meeting(id)
  state.checkBody(rules, body, accepted)
  meeting.fields = { ...kept(meeting.fields), ...pick(rules, body) }
  meeting.updatedAt = state.now()
  return success(meetingShape(meeting, state.settings.vendor))
}
