import { type Answer, Refusal, success } from '../answers.ts'
import { boolean, isObject, type Rules } from '../rules.ts'
import type { Livestream } from '../state/livestream.ts'
import type { Meeting } from '../state/meeting.ts'
import type { World } from '../state/state.ts'
import { livestreamName } from './livestream-routes.ts'
import type { Call, Routes } from './route.ts'
import { activeL2, livestreamL1, startedL1, startedL2 } from './shapes.ts'

const isWhole = (value: unknown): boolean => value === undefined || Number.isInteger(value)
const videoConfig: Rules = {
  video_config: {
    says: 'an object with whole numbers height and width',
    kind: value => isObject(value) && isWhole(value.height) && isWhole(value.width)
  },
  // The browser SDK sends it; nothing is made of it here.
  manual_ingest: boolean
}

/** Routes that start, show and stop the livestream of a meeting: most switches are about these three. */
export function liveRoutes(world: World): Routes {
  return {
    'POST /meetings/{id}/livestreams': call => start(world, call),
    'GET /meetings/{id}/active-livestream': call => active(world, call),
    'POST /meetings/{id}/active-livestream/stop': call => stop(world, call)
  }
}

function start(world: World, { id, body }: Call): Answer {
  const meeting = world.meeting(id)
  world.checkBody({ ...livestreamName(world), ...videoConfig }, body)
  if (meeting.fields.status === 'INACTIVE') throw new Refusal(403, `Meeting ${id} is inactive`)
  const { contract, startWhileLive, restartRefusal } = world.settings
  const started = contract === 'L1' ? startedL1 : startedL2
  const alreadyRunning = `A LIVESTREAMER is already running for meeting ${id}`
  if (world.isStillStopping(meeting)) {
    const message = restartRefusal === '409' ? alreadyRunning : `The last livestream of meeting ${id} is still stopping`
    throw new Refusal(Number(restartRefusal), message)
  }
  const running = world.running(meeting)
  if (running && startWhileLive === '200') return success(started(world, running))
  if (running && startWhileLive === '409') throw new Refusal(409, alreadyRunning)
  const livestream = world.begin(meeting, body.name as string | null | undefined)
  // The answer to a start never says LIVE, however fast the next look may be.
  return success(started(world, livestream, contract === 'L1' ? 'OFFLINE' : 'INVOKED'), 201)
}

/** A hidden run looks as if nothing were live. */
function active(world: World, { id }: Call): Answer {
  const { activeDuringInvoked, activeShowsEnded } = world.settings
  const meeting = world.meeting(id)
  const running = world.running(meeting)
  const isHidden = activeDuringInvoked === '404' && running && world.status(running) !== 'LIVE'
  if (running && !isHidden) return shown(world, running)
  const last = meeting.livestreams.findLast(one => one !== running)
  return activeShowsEnded && last ? shown(world, last) : nothingLive(world, meeting)
}

function shown(world: World, livestream: Livestream): Answer {
  return success((world.settings.contract === 'L1' ? livestreamL1 : activeL2)(world, livestream))
}

function nothingLive({ settings }: World, { id }: Meeting): Answer {
  const { nothingLive: how } = settings
  if (how === 'null') return success(null)
  if (how === 'empty') return success({})
  throw new Refusal(Number(how), `No active livestream found for meeting_id ${id}`)
}

/** Ends the run that `active-livestream` shows: of two at once (`startWhileLive: 'second'`) the older one goes on. */
function stop(world: World, { id }: Call): Answer {
  const { contract, stopRefusal, stopWithNothingLive } = world.settings
  const meeting = world.meeting(id)
  const running = world.stoppable(meeting)
  if (!running && stopWithNothingLive !== '200') {
    throw new Refusal(Number(stopWithNothingLive), `No active livestream found for meeting_id ${id}`)
  }
  const isTooEarly = running !== undefined && world.status(running) !== 'LIVE'
  if (isTooEarly && stopRefusal !== 'none') {
    throw new Refusal(Number(stopRefusal), `The livestream of meeting ${id} has not started yet`)
  }
  if (running) world.stop(meeting, running)
  return success({ message: contract === 'L1' ? 'livestream stopped' : 'Stopped live stream successfully' })
}
