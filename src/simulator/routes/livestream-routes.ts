import { type Answer, Refusal, success } from '../answers.ts'
import { nullable, type Rules, string, text } from '../rules.ts'
import { type Livestream, newStreamKey, runningRun } from '../state/livestream.ts'
import type { World } from '../state/state.ts'
import { inTime, type Paging, paged, pagedL1, sorted, word } from './lists.ts'
import type { Call, Routes } from './route.ts'
import { createdL2, type LivestreamSession, livestreamL1, livestreamL2, sessionL2 } from './shapes.ts'

const namePattern = /^[a-zA-Z0-9-_]*$/

/** `name` of a livestream: whether its published pattern holds is a switch, and no limit of its length is known. */
export function livestreamName({ settings }: World): Rules {
  const inPattern = text(`a string with the pattern ${namePattern.source}`, value => namePattern.test(value))
  return { name: nullable(settings.livestreamName === 'any' ? string : inPattern) }
}

/** Livestreams by their own id, in both contracts (contract#operations). */
export function livestreamRoutes(world: World): Routes {
  return world.settings.contract === 'L1' ? routesL1(world) : routesL2(world)
}

function routesL1(world: World): Routes {
  return {
    'POST /livestreams': ({ body }) => success(livestreamL1(world, create(world, body)), 201),
    'GET /livestreams': ({ query }) =>
      pageL1(world, withoutMeetings(query, 'excludeMeetings', [...world.livestreams.values()].reverse()), query),
    'GET /livestreams/{id}': ({ id }) => success(livestreamL1(world, world.livestream(id)))
  }
}

function routesL2(world: World): Routes {
  const edit = ({ id }: Call, change: Partial<Livestream>): Livestream =>
    Object.assign(world.livestream(id), change, { editedAt: world.now() })
  const withOrg = (livestream: Livestream): object => ({
    ...livestreamL2(world, livestream),
    org_id: world.settings.org
  })
  return {
    'POST /livestreams': ({ body }) => success(createdL2(world, create(world, body)), 201),
    'GET /livestreams': call => listL2(world, call),
    'GET /livestreams/{id}': ({ id, query }) => oneL2(world, world.livestream(id), query),
    'GET /livestreams/{id}/active-livestream-session': ({ id }) => {
      const livestream = world.livestream(id)
      const run = runningRun(livestream, world.now())
      if (!run) throw new Refusal(404, `No active livestream session found for livestream_id ${id}`)
      return success({ livestream: livestreamL2(world, livestream), session: sessionL2(world, run) })
    },
    'GET /livestreams/sessions/{id}': ({ id }) =>
      success(sessionL2(world, world.find(world.runs, 'livestream session', id))),
    'PUT /livestreams/{id}/enable': call => success(withOrg(edit(call, { disabled: false }))),
    'PUT /livestreams/{id}/disable': call => {
      const livestream = withOrg(edit(call, { disabled: true }))
      // The schema has it beside `success`, the example in `data` (contract#two-published-forms).
      if (world.settings.lists === 'schema') return { status: 200, body: { success: true, LivestreamBase: livestream } }
      return success(livestream)
    },
    'POST /livestreams/{id}/reset-stream-key': call =>
      success(livestreamL2(world, edit(call, { streamKey: newStreamKey() })))
  }
}

function create(world: World, body: Record<string, unknown>): Livestream {
  world.checkBody(livestreamName(world), body)
  return world.addLivestream(null, (body.name as string | null | undefined) ?? null)
}

/** L1's list page; also that of a meeting's livestreams. */
export function pageL1(world: World, livestreams: Livestream[], query: URLSearchParams): Answer {
  const { page, head } = pagedL1(livestreams, query)
  const data = { ...head, livestreams: page.map(one => livestreamL1(world, one)) }
  return { status: 200, body: { success: true, message: '', data } }
}

function withoutMeetings(query: URLSearchParams, name: string, livestreams: Livestream[]): Livestream[] {
  const excluded = word(query, name, ['true', 'false']) === 'true'
  return excluded ? livestreams.filter(one => one.meetingId === null) : livestreams
}

/** The whole organization's livestreams, stream keys and all. */
function listL2(world: World, { query }: Call): Answer {
  const status = word(query, 'status', ['LIVE', 'IDLE', 'ERRORED', 'INVOKED'])
  const isInTime = inTime(query)
  const wanted = withoutMeetings(query, 'exclude_meetings', sorted(world.livestreams.values(), query))
    .filter(one => status === null || world.status(one) === status)
    .filter(one => isInTime(one.createdAt))
  const { page, paging } = paged(wanted, query)
  const data = page.map(one => livestreamL2(world, one))
  // The schema knows one livestream only, with the paging inside.
  if (world.settings.lists === 'schema') return success({ ...data[0], paging })
  return { status: 200, body: { success: true, data, paging } }
}

/** A livestream with a page of its sessions. */
export function oneL2(world: World, livestream: Livestream, query: URLSearchParams): Answer {
  const { sessions, paging } = sessionsPage(world, livestream, query)
  const shown = livestreamL2(world, livestream)
  const [session] = sessions
  if (world.settings.lists === 'schema') return success({ livestream: shown, ...(session && { session }), paging })
  return { status: 200, body: { success: true, data: { livestream: shown, sessions }, paging } }
}

/** The newest first. */
export function sessionsPage(
  world: World,
  livestream: Livestream,
  query: URLSearchParams
): { sessions: LivestreamSession[]; paging: Paging } {
  const { page, paging } = paged(livestream.runs.toReversed(), query)
  return { sessions: page.map(run => sessionL2(world, run)), paging }
}
