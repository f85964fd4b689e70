import { Refusal, type SimulatedAnswer, success } from '../answers.ts'
import { boolean, isObject, type Rules } from '../rules.ts'
import type { Livestream } from '../state/livestream.ts'
import type { Meeting } from '../state/meeting.ts'
import type { VendorState } from '../state/state.ts'
import { livestreamName } from './livestream-routes.ts'
import type { Routes, SimulatedCall } from './route.ts'
import { activeL2, livestreamL1, startedL1, startedL2 } from './shapes.ts'

const isWhole = (value: unknown): boolean => value === undefined || Number.isInteger(value)
const videoConfig: Rules = {
  video_config: {
    says: 'an object with whole numbers height and width',
    kind: value => isObject(value) && isWhole(value.height) && isWhole(value.width)
  },
  // The browser SDK sends it. It is shown, and the video comes as usual.
  manual_ingest: boolean
}

/** Routes that start, show and stop the livestream of a meeting: most switches are about these three. */
export function liveRoutes(state: VendorState): Routes {
  return {
    'POST /meetings/{id}/livestreams': call => start(state, call),
    'GET /meetings/{id}/active-livestream': call => active(state, call),
    'POST /meetings/{id}/active-livestream/stop': call => stop(state, call)
  }
}

function start(state: VendorState, { id, body }: SimulatedCall): SimulatedAnswer {
  const meeting = state.meeting(id)
  state.checkBody({ ...livestreamName(state), ...videoConfig }, body)
  if (meeting.fields.status === 'INACTIVE') throw new Refusal(403, `Meeting ${id} is inactive`)
  const { contract, startWhileLive, restartRefusal } = state.settings
  const started = contract === 'L1' ? startedL1 : startedL2
  const alreadyRunning = `A LIVESTREAMER is already running for meeting ${id}`
  if (state.isStillStopping(meeting)) {
    const message = restartRefusal === '409' ? alreadyRunning : `The last livestream of meeting ${id} is still stopping`
    throw new Refusal(Number(restartRefusal), message)
  }
  const running = state.running(meeting)
  if (running && startWhileLive === '200') return success(started(state, running))
  if (running && startWhileLive === '409') throw new Refusal(409, alreadyRunning)
  const livestream = state.begin(meeting, body.name as string | null | undefined, body.manual_ingest === true)
  // The answer to a start never says LIVE, however fast the next look may be.
  return success(started(state, livestream, contract === 'L1' ? 'OFFLINE' : 'INVOKED'), 201)
}

/** A hidden run looks as if nothing were live. */
function active(state: VendorState, { id }: SimulatedCall): SimulatedAnswer {
  const { activeDuringInvoked, activeShowsEnded } = state.settings
  const meeting = state.meeting(id)
  const running = state.running(meeting)
  const isHidden = activeDuringInvoked === '404' && running && state.status(running) !== 'LIVE'
  if (running && !isHidden) return shown(state, running)
  const last = meeting.livestreams.findLast(one => one !== running)
  return activeShowsEnded && last ? shown(state, last) : nothingLive(state, meeting)
}

function shown(state: VendorState, livestream: Livestream): SimulatedAnswer {
  return success((state.settings.contract === 'L1' ? livestreamL1 : activeL2)(state, livestream))
}

function nothingLive({ settings }: VendorState, { id }: Meeting): SimulatedAnswer {
  const { nothingLive: how } = settings
  if (how === 'null') return success(null)
  if (how === 'empty') return success({})
  throw new Refusal(Number(how), `No active livestream found for meeting_id ${id}`)
}

/** Ends the run that `active-livestream` shows: of two at once (`startWhileLive: 'second'`) the older one goes on. */
function stop(state: VendorState, { id }: SimulatedCall): SimulatedAnswer {
  const { contract, stopRefusal, stopWithNothingLive } = state.settings
  const meeting = state.meeting(id)
  const running = state.stoppable(meeting)
  if (!running && stopWithNothingLive !== '200') {
    throw new Refusal(Number(stopWithNothingLive), `No active livestream found for meeting_id ${id}`)
  }
  const isTooEarly = running !== undefined && state.status(running) !== 'LIVE'
  if (isTooEarly && stopRefusal !== 'none') {
    throw new Refusal(Number(stopRefusal), `The livestream of meeting ${id} has not started yet`)
  }
  if (running) state.stop(meeting, running)
  return success({ message: contract === 'L1' ? 'livestream stopped' : 'Stopped live stream successfully' })
}
