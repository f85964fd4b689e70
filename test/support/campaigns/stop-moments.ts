import { setTimeout as pause } from 'node:timers/promises'
import type { OperationState } from '../../../src/domain/operation.ts'
import type { Client, Reply } from '../gateway.ts'
import { type Campaign, callsOf, report, runningIn, startsOf, type World } from './campaign.ts'
import { lookFault, mutationFault, on } from './campaign-faults.ts'
import { Dice } from './dice.ts'

/** When, in the course of a start, the stop is sent. */
export const moments = [
  'with it',
  'during its look',
  'during its call',
  'after it',
  'while it is settled',
  'later'
] as const
export type Moment = (typeof moments)[number]

export interface Clients {
  /** Starts take turns, so that the machine keeps up; a stop must not wait. */
  start: Client
  stop: Client
}

/** Checks what is true when all is settled; the rows are those of the operations, by request id. */
export type Check = (rows: Map<string, OperationState>) => Promise<void>

/** Starts with a fault, and stops at some moment of it. */
export async function stopDuringStart(
  campaign: Campaign,
  world: World,
  meeting: string,
  name: string,
  clients: Clients
): Promise<Check> {
  const dice = new Dice(name)
  const moment = dice.pick(moments)
  const wrong = (what: string): void => report(campaign, world, meeting, `${name}, stopped ${moment}: ${what}`)
  const calls = on(meeting)
  const { simulator } = world
  if (dice.chance(0.8)) simulator.failNext({ ...mutationFault(dice), match: calls.start })
  if (dice.chance(0.5)) simulator.failNext({ ...mutationFault(dice), match: calls.stop })
  spoilLooks(moment, world, meeting, dice)
  await pause(dice.between(0, 4_000))

  const headers = (id: string) => ({ 'x-request-id': id, ...(dice.chance(0.5) && { 'idempotency-key': id }) })
  const started = clients.start('POST', `/v2${calls.start.path}`, { name }, headers(`${name}-start`))
  await comes(moment, world, meeting, started, dice)
  let stopHeaders = headers(`${name}-stop-0`)
  const stop = () => clients.stop('POST', `/v2${calls.stop.path}`, undefined, stopHeaders)
  let stopped = await stop()
  for (let tries = 1; isToBeSentAgain(stopped); tries++) {
    await pause(Number(stopped.headers['retry-after'] ?? 0) * 1_000 + 100)
    // A failure is final under its key.
    stopHeaders = headers(`${name}-stop-${tries}`)
    stopped = await stop()
  }
  if (isDone(stopped) && runningIn(world, meeting).length > 0 && !isStartLast(moment, world, meeting)) {
    wrong(`it runs, and the stop says ${stopped.statusCode}`)
  }
  await started

  return async rows => {
    const startState = rows.get(`${name}-start`)
    const executed = startsOf(world, meeting, name).some(entry => entry.executed)
    // In L1 (contract#l1-no-runs) nothing shows a run that was stopped before somebody saw it.
    if (world.answers.contract === 'L2' && executed !== (startState === 'done')) wrong(`the start is ${startState}`)
    if (isStartLast(moment, world, meeting)) {
      await clients.stop('POST', `/v2${calls.stop.path}`)
    } else if (!isDone(stopped)) {
      const state = rows.get(stopHeaders['x-request-id'])
      if (state !== 'done') wrong(`the stop was answered ${stopped.body} and is ${state}`)
      const again = 'idempotency-key' in stopHeaders ? await stop() : null
      if (again !== null && again.statusCode !== 200) wrong(`asked again it was answered ${again.body}`)
    }
    if (runningIn(world, meeting).length > 0) wrong(`it runs in the end; the stop was answered ${stopped.body}`)
  }
}

/** Faults of the looks: into one that takes its time a stop can fall. */
export function spoilLooks(moment: Moment, { simulator }: World, meeting: string, dice: Dice): void {
  const { look: match } = on(meeting)
  const slow = { delayMs: dice.between(20, 300), match }
  if (moment === 'during its look') simulator.failNext(slow)
  if (moment === 'while it is settled') simulator.failNext([{ match }, slow])
  if (dice.chance(0.2)) simulator.failNext({ ...lookFault(dice), match })
}

/** Until the moment has come, or is over; of what the vendor was asked before `from` nothing counts. */
export async function comes(
  moment: Moment,
  world: World,
  meeting: string,
  started: Promise<Reply>,
  dice: Dice,
  from = 0
): Promise<void> {
  const { start, look } = on(meeting)
  if (moment === 'with it') await pause(dice.between(0, 5))
  if (moment === 'during its look') await reached(world, look, from, started)
  if (moment === 'during its call') await reached(world, start, from, started)
  if (moment === 'after it') await started
  if (moment === 'later') await started.then(() => pause(dice.between(0, 8_000)))
  if (moment === 'while it is settled') {
    await started
    await reached(world, look, world.simulator.journal.length, pause(3_000))
  }
}

/** Until the vendor has such a call, or it is too late for one. */
async function reached(
  { simulator: { journal } }: World,
  wanted: { method: string; path: string },
  from: number,
  tooLate: Promise<unknown>
): Promise<void> {
  let late = false
  tooLate.then(() => {
    late = true
  })
  for (let i = from; !late; await pause(10)) {
    for (; i < journal.length; i++) {
      if (journal[i]?.method === wanted.method && journal[i]?.target === `/v2${wanted.path}`) return
    }
  }
}

/** Only who is told that nothing was stopped has to ask again. */
export function isToBeSentAgain(reply: Reply): boolean {
  const { outcome } = reply.json().error ?? {}
  return reply.statusCode >= 500 && (outcome === 'not_sent' || outcome === 'failed')
}

export function isDone({ statusCode }: Reply): boolean {
  return statusCode === 200 || statusCode === 404
}

/** True when the start is the last word: a stop that is sent at the same moment may come first. */
export function isStartLast(moment: Moment, world: World, meeting: string): boolean {
  const last = callsOf(world, meeting).findLast(({ method }) => method === 'POST')
  return moment === 'with it' && last?.target.endsWith('/livestreams') === true
}
