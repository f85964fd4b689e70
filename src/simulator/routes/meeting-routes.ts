import { type Answer, Refusal, success } from '../answers.ts'
import type { Rules } from '../rules.ts'
import { type Meeting, type MeetingFields, meetingShape, partOfMeeting, pick, wholeMeeting } from '../state/meeting.ts'
import type { World } from '../state/state.ts'
import { inTime, paged, sorted, word } from './lists.ts'
import { oneL2, pageL1, sessionsPage } from './livestream-routes.ts'
import type { Call, Routes } from './route.ts'
import { livestreamL2 } from './shapes.ts'

/**
 * Fields that are taken too, and nothing made of them: those that the other vendor has (`preferred_region` was met so on
 * RealtimeKit), and the status where a meeting is replaced.
 */
const accepted = Object.keys({ ...partOfMeeting('dyte'), ...partOfMeeting('realtimekit') })

/** Meetings, and the livestreams that they had (contract#operations). */
export function meetingRoutes(world: World): Routes {
  const { contract, vendor } = world.settings
  const whole = wholeMeeting(vendor)
  return {
    'POST /meetings': ({ body }) => {
      world.checkBody(whole, body, accepted)
      return success(meetingShape(world.addMeeting(pick(whole, body)), vendor), 201)
    },
    'GET /meetings': call => list(world, call),
    'GET /meetings/{id}': ({ id }) => success(meetingShape(world.meeting(id), vendor)),
    'PATCH /meetings/{id}': call => edit(world, call, partOfMeeting(vendor), fields => fields),
    ...(contract === 'L1' ? routesL1(world) : routesL2(world))
  }
}

function routesL1(world: World): Routes {
  return {
    'GET /meetings/{id}/livestreams': ({ id, query }) =>
      pageL1(world, world.meeting(id).livestreams.toReversed(), query)
  }
}

function routesL2(world: World): Routes {
  return {
    // A meeting's status is set by PATCH only, so that replacing the rest does not bring it back to life.
    'PUT /meetings/{id}': call =>
      edit(world, call, wholeMeeting(world.settings.vendor), ({ status }) => ({ ...(status && { status }) })),
    'GET /meetings/{id}/livestream': ({ id, query }) => {
      const livestreams = world.meeting(id).livestreams.toReversed()
      const [latest] = livestreams
      if (!latest) throw new Refusal(404, `No livestream found for meeting_id ${id}`)
      if (world.settings.lists === 'example') return oneL2(world, latest, query)
      const { sessions, paging } = sessionsPage(world, latest, query)
      const shown = livestreams.map(one => livestreamL2(world, one))
      return success({ livestreams: shown, sessions: sessions[0] ?? null, paging })
    }
  }
}

function list(world: World, { query }: Call): Answer {
  const isInTime = inTime(query)
  const isWanted = hasStatus(world, query)
  const search = (query.get('search') ?? '').toLowerCase()
  const wanted = sorted(world.meetings.values(), query)
    .filter(one => isInTime(one.createdAt) && isWanted(one))
    .filter(one => one.id.includes(search) || (one.fields.title ?? '').toLowerCase().includes(search))
  const { page, paging } = paged(wanted, query)
  return {
    status: 200,
    body: { success: true, data: page.map(one => meetingShape(one, world.settings.vendor)), paging }
  }
}

/** The filter `status` is RealtimeKit's alone (contract#realtimekit-meetings). */
function hasStatus({ settings }: World, query: URLSearchParams): (meeting: Meeting) => boolean {
  const status = settings.vendor === 'dyte' ? null : word(query, 'status', ['ACTIVE', 'INACTIVE'])
  return ({ fields }) => status === null || (fields.status ?? 'ACTIVE') === status
}

function edit(world: World, { id, body }: Call, rules: Rules, kept: (fields: MeetingFields) => MeetingFields): Answer {
  const meeting = world.meeting(id)
  world.checkBody(rules, body, accepted)
  meeting.fields = { ...kept(meeting.fields), ...pick(rules, body) }
  meeting.updatedAt = world.now()
  return success(meetingShape(meeting, world.settings.vendor))
}
