import { Refusal, type SimulatedAnswer, success } from '../answers.ts'
import { nullable, type Rules, string, text } from '../rules.ts'
import { type Livestream, newStreamKey, runningRun } from '../state/livestream.ts'
import type { VendorState } from '../state/state.ts'
import { inTime, type Paging, paged, pagedL1, sorted, word } from './lists.ts'
import type { Routes, SimulatedCall } from './route.ts'
import { createdL2, type LivestreamSession, livestreamL1, livestreamL2, sessionL2 } from './shapes.ts'

const namePattern = /^[a-zA-Z0-9-_]*$/

/** `name` of a livestream: whether its published pattern holds is a switch, and no limit of its length is known. */
export function livestreamName({ settings }: VendorState): Rules {
  const inPattern = text(`a string with the pattern ${namePattern.source}`, value => namePattern.test(value))
  return { name: nullable(settings.livestreamName === 'any' ? string : inPattern) }
}

/** Livestreams by their own id, in both contracts (contract#operations). */
export function livestreamRoutes(state: VendorState): Routes {
  return state.settings.contract === 'L1' ? routesL1(state) : routesL2(state)
}

function routesL1(state: VendorState): Routes {
  return {
    'POST /livestreams': ({ body }) => success(livestreamL1(state, create(state, body)), 201),
    'GET /livestreams': ({ query }) =>
      pageL1(state, withoutMeetings(query, 'excludeMeetings', [...state.livestreams.values()].reverse()), query),
    'GET /livestreams/{id}': ({ id }) => success(livestreamL1(state, state.livestream(id)))
  }
}

function routesL2(state: VendorState): Routes {
  const edit = ({ id }: SimulatedCall, change: Partial<Livestream>): Livestream =>
    Object.assign(state.livestream(id), change, { editedAt: state.now() })
  const withOrg = (livestream: Livestream): object => ({
    ...livestreamL2(state, livestream),
    org_id: state.settings.org
  })
  return {
    'POST /livestreams': ({ body }) => success(createdL2(state, create(state, body)), 201),
    'GET /livestreams': call => listL2(state, call),
    'GET /livestreams/{id}': ({ id, query }) => oneL2(state, state.livestream(id), query),
    'GET /livestreams/{id}/active-livestream-session': ({ id }) => {
      const livestream = state.livestream(id)
      const run = runningRun(livestream, state.now())
      if (!run) throw new Refusal(404, `No active livestream session found for livestream_id ${id}`)
      return success({ livestream: livestreamL2(state, livestream), session: sessionL2(state, run) })
    },
    'GET /livestreams/sessions/{id}': ({ id }) =>
      success(sessionL2(state, state.find(state.runs, 'livestream session', id))),
    'PUT /livestreams/{id}/enable': call => success(withOrg(edit(call, { disabled: false }))),
    'PUT /livestreams/{id}/disable': call => {
      const livestream = withOrg(edit(call, { disabled: true }))
      // The schema has it beside `success`, the example in `data` (contract#two-published-forms).
      if (state.settings.lists === 'schema') return { status: 200, body: { success: true, LivestreamBase: livestream } }
      return success(livestream)
    },
    'POST /livestreams/{id}/reset-stream-key': call =>
      success(livestreamL2(state, edit(call, { streamKey: newStreamKey() })))
  }
}

function create(state: VendorState, body: Record<string, unknown>): Livestream {
  state.checkBody(livestreamName(state), body)
  return state.addLivestream(null, (body.name as string | null | undefined) ?? null)
}

/** L1's list page; also that of a meeting's livestreams. */
export function pageL1(state: VendorState, livestreams: Livestream[], query: URLSearchParams): SimulatedAnswer {
  const { page, head } = pagedL1(livestreams, query)
  const data = { ...head, livestreams: page.map(one => livestreamL1(state, one)) }
  return { status: 200, body: { success: true, message: '', data } }
}

function withoutMeetings(query: URLSearchParams, name: string, livestreams: Livestream[]): Livestream[] {
  const excluded = word(query, name, ['true', 'false']) === 'true'
  return excluded ? livestreams.filter(one => one.meetingId === null) : livestreams
}

/** The whole organization's livestreams, stream keys and all. */
function listL2(state: VendorState, { query }: SimulatedCall): SimulatedAnswer {
  const status = word(query, 'status', ['LIVE', 'IDLE', 'ERRORED', 'INVOKED'])
  const isInTime = inTime(query)
  const wanted = withoutMeetings(query, 'exclude_meetings', sorted(state.livestreams.values(), query))
    .filter(one => status === null || state.status(one) === status)
    .filter(one => isInTime(one.createdAt))
  const { page, paging } = paged(wanted, query)
  const data = page.map(one => livestreamL2(state, one))
  // The schema knows one livestream only, with the paging inside.
  if (state.settings.lists === 'schema') return success({ ...data[0], paging })
  return { status: 200, body: { success: true, data, paging } }
}

/** A livestream with a page of its sessions. */
export function oneL2(state: VendorState, livestream: Livestream, query: URLSearchParams): SimulatedAnswer {
  const { sessions, paging } = sessionsPage(state, livestream, query)
  const shown = livestreamL2(state, livestream)
  const [session] = sessions
  if (state.settings.lists === 'schema') return success({ livestream: shown, ...(session && { session }), paging })
  return { status: 200, body: { success: true, data: { livestream: shown, sessions }, paging } }
}

/** The newest first. */
export function sessionsPage(
  state: VendorState,
  livestream: Livestream,
  query: URLSearchParams
): { sessions: LivestreamSession[]; paging: Paging } {
  const { page, paging } = paged(livestream.runs.toReversed(), query)
  return { sessions: page.map(run => sessionL2(state, run)), paging }
}
