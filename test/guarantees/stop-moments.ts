import { setTimeout as pause } from 'node:timers/promises'
import type { OperationState } from '../../src/domain/operation.ts'
import type { Client, Reply } from '../support/gateway.ts'
import { type Campaign, callsOf, Dice, report, runningIn, type World } from './campaign.ts'
import { lookFault, mutationFault, on } from './campaign-faults.ts'

/** When the stop is sent. */
const moments = ['with it', 'during its look', 'during its call', 'after it', 'while it is settled', 'later'] as const
type Moment = (typeof moments)[number]

/** Starts with a fault, stops at some moment of it. Gives what is to be checked when everything is settled. */
export async function stopDuringStart(
  campaign: Campaign,
  world: World,
  meeting: string,
  name: string,
  call0: Client
): Promise<(rows: Map<string, OperationState>) => Promise<void>> {
  const call: Client = async (m, p, b, h) => {
    const t0 = performance.now()
    try {
      return await call0(m, p, b, h)
    } catch (e) {
      console.error(
        'LOST',
        m,
        p,
        JSON.stringify(h),
        moment,
        Math.round(performance.now() - t0),
        Math.round(performance.now()),
        String(e)
      )
      return { statusCode: 599, headers: {}, body: '{}', json: () => ({}) }
    }
  }
  const dice = new Dice(name)
  const moment = dice.pick(moments)
  const wrong = (what: string): void => report(campaign, world, meeting, `${name}, stopped ${moment}: ${what}`)
  const { simulator } = world
  const { start: starting, stop: stopping, look } = on(meeting)
  if (dice.chance(0.8)) simulator.failNext({ ...mutationFault(dice), match: starting })
  if (dice.chance(0.5)) simulator.failNext({ ...mutationFault(dice), match: stopping })
  // A look that takes its time is one in which the stop can fall.
  const held = { delayMs: dice.between(20, 300), match: look }
  if (moment === 'during its look') simulator.failNext(held)
  if (moment === 'while it is settled') simulator.failNext([{ match: look }, held])
  if (dice.chance(0.2)) simulator.failNext({ ...lookFault(dice), match: look })
  await pause(dice.between(0, 4_000))

  const headers = (id: string): Record<'x-request-id', string> & Record<string, string> => ({
    'x-request-id': id,
    ...(dice.chance(0.5) && { 'idempotency-key': id })
  })
  const started = call('POST', `/v2${starting.path}`, { name }, headers(`${name}-start`))
  await comes(moment, world, meeting, started, dice)
  const stopHeaders = headers(`${name}-stop`)
  const stop = () => call('POST', `/v2${stopping.path}`, undefined, stopHeaders)
  let stopped = await stop()
  while (isToBeSentAgain(stopped)) {
    await pause(Number(stopped.headers['retry-after'] ?? 0) * 1_000 + 100)
    stopped = await stop()
  }
  if (isDone(stopped) && runningIn(world, meeting).length > 0 && !startedAfter(moment, world, meeting)) {
    wrong(`it runs, and the stop says ${stopped.statusCode}`)
  }
  await started

  return async rows => {
    if (startedAfter(moment, world, meeting)) await call('POST', `/v2${stopping.path}`)
    else if (!isDone(stopped)) {
      const state = rows.get(stopHeaders['x-request-id'])
      if (state !== 'done') wrong(`the stop was answered ${stopped.body} and is ${state}`)
      const again = stopHeaders['idempotency-key'] === undefined ? null : await stop()
      if (again !== null && again.statusCode !== 200) wrong(`asked again it was answered ${again?.body}`)
    }
    if (runningIn(world, meeting).length > 0) wrong(`it runs in the end; the stop was answered ${stopped.body}`)
  }
}

/** Until the moment has come, or is over. */
async function comes(moment: Moment, world: World, meeting: string, started: Promise<Reply>, dice: Dice) {
  const { start, look } = on(meeting)
  const over = started.then(() => pause(100))
  if (moment === 'with it') await pause(dice.between(0, 5))
  if (moment === 'during its look') await reached(world, look, 0, over)
  if (moment === 'during its call') await reached(world, start, 0, over)
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
function isToBeSentAgain(reply: Reply): boolean {
  const { outcome } = reply.json().error ?? {}
  return reply.statusCode >= 500 && (outcome === 'not_sent' || outcome === 'failed')
}

function isDone({ statusCode }: Reply): boolean {
  return statusCode === 200 || statusCode === 404
}

/** Sent at the same moment the stop may have come first: then the start is the last word. */
function startedAfter(moment: Moment, world: World, meeting: string): boolean {
  const last = callsOf(world, meeting).findLast(({ method }) => method === 'POST')
  return moment === 'with it' && last?.target.endsWith('/livestreams') === true
}
