import type { Fault } from '../../../src/simulator/simulator.ts'
import type { Dice } from './dice.ts'

/** The deadline of the gateways of a campaign. */
export const deadlineMs = 500
/** So long L1 may leave it open whether a run is yet to come or over (contract#l1-statuses). */
export const settleMs = 12_000

/**
 * How late a vendor may still do what was asked for, when nobody waits for it any more. Two looks 5 s apart must find it: half of
 * that, so that a slow machine doesn't matter.
 */
const latestAfter = (deadline: number): number => deadline + 1_500
const latestMs = latestAfter(deadlineMs)

/** One way in which the vendor may take a start or a stop; `soon` holds it open within the deadline. */
export function mutationFault(dice: Dice, deadline = deadlineMs): Fault {
  const soon = dice.between(20, 300)
  const late = dice.between(deadline + 100, latestAfter(deadline))
  return dice.pick<Fault>([
    { delayMs: soon },
    { delayMs: soon, afterWork: true },
    { delayMs: late },
    { delayMs: late, afterWork: true },
    { hangUp: true },
    { hangUp: true, afterWork: true },
    { hangUp: true, delayMs: soon },
    { hangUp: true, delayMs: soon, afterWork: true },
    { status: 500 },
    { status: 500, afterWork: true },
    { status: 503, delayMs: late, afterWork: true },
    { status: 408 },
    { garbage: true },
    { garbage: true, afterWork: true },
    { mutate: 'null_data' },
    { stall: true },
    { stall: true, afterWork: true },
    { stallBody: true },
    { retryAfterSeconds: 1 },
    { status: 401 },
    { status: 422 }
  ])
}

/** One way in which the vendor may hold a start open, for a kill to fall into it. */
export function holdingFault(dice: Dice): Fault {
  const holding = { delayMs: dice.between(50, latestMs), afterWork: dice.chance(0.5) }
  return dice.chance(0.2) ? { ...holding, hangUp: true } : holding
}

/** One way in which a look may go wrong; none of them says that nothing is live when something is. */
export function lookFault(dice: Dice): Fault {
  return dice.pick<Fault>([
    { delayMs: dice.between(20, 300) },
    { delayMs: deadlineMs + 200 },
    { hangUp: true },
    { status: 500 },
    { garbage: true },
    { stall: true },
    { retryAfterSeconds: 1 }
  ])
}

/** The vendor's calls of a meeting, for a fault to match. */
export function on(meeting: string) {
  return {
    start: { method: 'POST', path: `/meetings/${meeting}/livestreams` },
    stop: { method: 'POST', path: `/meetings/${meeting}/active-livestream/stop` },
    look: { method: 'GET', path: `/meetings/${meeting}/active-livestream` },
    list: { method: 'GET', path: '/livestreams' }
  }
}
