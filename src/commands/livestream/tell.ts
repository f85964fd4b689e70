import type { OrderedStopNow } from '../../store/tables/runs/ordered-stops.ts'
import { Interrupted, type Io, type JsonOption, PartlyDone, print, table } from '../process/io.ts'
import type { SeenOrder } from './see-through.ts'

/** More that a command has done together with the order. */
export interface Also {
  value: object
  text: string
}

/** Prints how an order stands. @throws PartlyDone when not all is stopped; Interrupted */
export function tell(io: Io, options: JsonOption, seen: SeenOrder, also?: Also): void {
  const { order, stops } = seen
  const stopped = stops.filter(({ state }) => state === 'stopped').length
  const rest = stops.filter(({ state }) => state !== 'stopped')
  const value = { ...also?.value, stop_order: shown(seen, stopped) }
  const text = [
    ...(also === undefined ? [] : [also.text]),
    stops.length === 0 ? nothingIn(seen) : `stopped ${stopped} of ${stops.length}`,
    ...(rest.length === 0 ? [] : [table([['tenant', 'meeting', 'state', 'why'], ...rest.map(rowOf)], '')])
  ]
  print(io, options, value, text.join('\n'))
  for (const { upstream, meetingId, livestreamId } of order.unowned) {
    const where = meetingId === null ? 'no meeting' : `the meeting ${meetingId}`
    io.err(`livegate: note: goes on, since no tenant has it: the livestream ${livestreamId} of ${where} at ${upstream}`)
  }
  const left = [
    ...(rest.length === 0 ? [] : [`${rest.length} of ${stops.length} are not stopped`]),
    ...order.unasked.map(({ upstream, reason }) => `the upstream ${upstream} could not be asked what runs (${reason})`)
  ]
  const next = seen.how === 'ended' ? 'livestream list --live shows what goes on' : whoGoesOn(seen)
  if (seen.how === 'interrupted') throw new Interrupted(['interrupted', ...left, next].join('; '))
  if (seen.how === 'late' && left.length === 0) left.push('it is not known yet what is live')
  if (left.length > 0) throw new PartlyDone([...left, next].join('; '))
}

/** Nothing to stop is not always nothing that is live. */
function nothingIn({ order, how }: SeenOrder): string {
  const isSure = how === 'ended' && order.unasked.length === 0 && order.unowned.length === 0
  return isSure ? 'nothing is live' : 'nothing was found to stop'
}

/** The order stands in the store, whatever becomes of its command. */
function whoGoesOn({ trouble, isOwn }: SeenOrder): string {
  if (trouble !== null) return `no gateway runs, and this command cannot take its place (${trouble}): start \`serve\``
  return isOwn ? 'no gateway runs: `serve` goes on with it, or this command once more' : 'the gateway goes on with it'
}

const states = { waiting: 'not yet', sent: 'not yet', stopped: 'stopped', left: 'goes on' } as const

function rowOf({ tenantId, meetingId, livestreamId, state, reason }: OrderedStopNow): string[] {
  return [tenantId, meetingId ?? `(livestream ${livestreamId})`, states[state], reason ?? '-']
}

function shown({ order, stops, how }: SeenOrder, stopped: number) {
  return {
    id: order.id,
    reason: order.reason,
    tenant_id: order.tenantId,
    is_ended: how === 'ended',
    total: stops.length,
    stopped,
    stops: stops.map(stop => ({
      tenant_id: stop.tenantId,
      upstream: stop.upstream,
      meeting_id: stop.meetingId,
      livestream_id: stop.livestreamId,
      run_id: stop.runId,
      operation_id: stop.operationId,
      state: stop.state,
      reason: stop.reason
    })),
    unowned: order.unowned.map(({ upstream, meetingId, livestreamId }) => ({
      upstream,
      meeting_id: meetingId,
      livestream_id: livestreamId
    })),
    unasked: order.unasked
  }
}
