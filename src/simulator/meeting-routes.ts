import { type Answer, checkBody, Refusal, success } from './answers.ts'
import { inTime, paged, sorted, word } from './lists.ts'
import { livestreamName, oneL2, pageL1, sessionsPage } from './livestream-routes.ts'
import { type Meeting, type MeetingFields, meetingShape, partOfMeeting, pick, wholeMeeting } from './meeting.ts'
import type { Call, Routes } from './route.ts'
import { isObject, type Rules } from './rules.ts'
import { activeL2, livestreamL1, livestreamL2, startedL1, startedL2 } from './shapes.ts'
import type { World } from './state.ts'

const isWhole = (value: unknown): boolean => value === undefined || Number.isInteger(value)
const startBody: Rules = {
  ...livestreamName,
  video_config: {
    says: 'an object with whole numbers height and width',
    kind: value => isObject(value) && isWhole(value.height) && isWhole(value.width)
  }
}

/** Meetings, and livestreams by their meeting (contract sections 3, 4.3 and 5). */
export function meetingRoutes(world: World): Routes {
  const { contract, vendor } = world.settings
  const whole = wholeMeeting(vendor)
  return {
    'POST /meetings': ({ body }) => {
      checkBody(whole, body)
      return success(meetingShape(world.addMeeting(pick(whole, body)), vendor), 201)
    },
    'GET /meetings': call => list(world, call),
    'GET /meetings/{id}': ({ id }) => success(meetingShape(world.meeting(id), vendor)),
    'PATCH /meetings/{id}': call => edit(world, call, partOfMeeting(vendor), fields => fields),
    'POST /meetings/{id}/livestreams': call => start(world, call),
    'GET /meetings/{id}/active-livestream': call => active(world, call),
    'POST /meetings/{id}/active-livestream/stop': call => stop(world, call),
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

/** The filter `status` is RealtimeKit's alone (contract section 4.5). */
function hasStatus({ settings }: World, query: URLSearchParams): (meeting: Meeting) => boolean {
  const status = settings.vendor === 'dyte' ? null : word(query, 'status', ['ACTIVE', 'INACTIVE'])
  return ({ fields }) => status === null || (fields.status ?? 'ACTIVE') === status
}

function edit(world: World, { id, body }: Call, rules: Rules, kept: (fields: MeetingFields) => MeetingFields): Answer {
  const meeting = world.meeting(id)
  checkBody(rules, body)
  meeting.fields = { ...kept(meeting.fields), ...pick(rules, body) }
  meeting.updatedAt = world.now()
  return success(meetingShape(meeting, world.settings.vendor))
}

function start(world: World, { id, body }: Call): Answer {
  const meeting = world.meeting(id)
  checkBody(startBody, body)
  if (meeting.fields.status === 'INACTIVE') throw new Refusal(403, `Meeting ${id} is inactive`)
  const { contract, startWhileLive } = world.settings
  const started = contract === 'L1' ? startedL1 : startedL2
  const running = world.running(meeting)
  if (running && startWhileLive === '200') return success(started(world, running))
  if (running && startWhileLive === '409') throw new Refusal(409, `Livestream already active for meeting_id ${id}`)
  const livestream = world.begin(meeting, body.name as string | null | undefined)
  // The answer to a start never says LIVE, however fast the next look may be.
  return success(started(world, livestream, contract === 'L1' ? 'OFFLINE' : 'INVOKED'), 201)
}

function active(world: World, { id }: Call): Answer {
  const { contract, activeDuringInvoked } = world.settings
  const running = world.running(world.meeting(id))
  const hidden = activeDuringInvoked === '404' && running && world.status(running) !== 'LIVE'
  if (!running || hidden) throw new Refusal(404, `No active livestream found for meeting_id ${id}`)
  return success((contract === 'L1' ? livestreamL1 : activeL2)(world, running))
}

/** Ends the run that `active-livestream` shows: of two at once (`startWhileLive: 'second'`) the older one goes on. */
function stop(world: World, { id }: Call): Answer {
  const { contract, stopWithNothingLive } = world.settings
  const running = world.running(world.meeting(id))
  if (running) world.end(running, 'IDLE')
  if (!running && stopWithNothingLive !== '200') {
    throw new Refusal(Number(stopWithNothingLive), `No active livestream found for meeting_id ${id}`)
  }
  return success({ message: contract === 'L1' ? 'livestream stopped' : 'Stopped live stream successfully' })
}
