import { setTimeout as pause } from 'node:timers/promises'
import type { Client, Reply } from '../gateway.ts'
import { report, type World } from './campaign.ts'
import { mutationFault, on } from './campaign-faults.ts'
import { Dice } from './dice.ts'
import { goingOn, isRefusedUnseen, type OddCampaign } from './odd-vendors.ts'
import { allSettled, answered, startUntilTold } from './start-rounds.ts'
import { comes, isDone, isStartLast, isToBeSentAgain, type Moment, moments, spoilLooks } from './stop-moments.ts'

interface Stopped {
  moment: Moment
  reply: Reply
  requestId: string
}

/** So many meetings at the same time: what comes late for want of a machine comes in another order. */
const atOnce = 128

/** In each meeting a start with faults, in half of them right after another run, and a stop at some moment of it. */
export async function stopInAll(campaign: OddCampaign, clients: { start: Client; stop: Client }): Promise<void> {
  const meetings = campaign.worlds.flatMap(world => world.meetings.map((meeting, i) => ({ world, meeting, i })))
  const told: (Stopped & { world: World; meeting: string; name: string })[] = []
  const work = async (): Promise<void> => {
    for (let next = meetings.shift(); next !== undefined; next = meetings.shift()) {
      const { world, meeting, i } = next
      const name = `${world.name}-${i}`
      told.push({ world, meeting, name, ...(await startAndStop(campaign, world, meeting, name, clients)) })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  await allSettled(campaign)
  const rows = await campaign.operations.list({ limit: 1_000_000 })
  const stateOf = new Map(rows.map(({ requestId, state }) => [requestId, state]))
  for (const { world, meeting, name, moment, reply, requestId } of told) {
    const wrong = (what: string): void => report(campaign, world, meeting, `${name}, stopped ${moment}: ${what}`)
    if (isStartLast(moment, world, meeting)) {
      await answered(campaign, [200, 404], () => clients.stop('POST', `/v2${on(meeting).stop.path}`))
      await allSettled(campaign, meeting)
    } else if (!isDone(reply)) {
      const state = stateOf.get(requestId)
      if (state !== 'done') wrong(`the stop was answered ${reply.body} and is ${state}`)
    }
    if (goingOn(world, meeting).length > 0) wrong(`it runs in the end; the stop was answered ${reply.body}`)
  }
}

async function startAndStop(
  campaign: OddCampaign,
  world: World,
  meeting: string,
  name: string,
  clients: { start: Client; stop: Client }
): Promise<Stopped> {
  const dice = new Dice(name)
  const moment = dice.pick(moments)
  const { simulator } = world
  const calls = on(meeting)
  await pause(dice.between(0, 4_000))
  if (dice.chance(0.5)) {
    await startUntilTold(campaign, world, meeting, clients.start, `${name}-first`)
    if (dice.chance(0.7)) await pause(dice.between(0, 1_500))
    await answered(campaign, [200, 404], () => clients.stop('POST', `/v2${calls.stop.path}`))
  }
  if (dice.chance(0.6)) simulator.failNext({ ...mutationFault(dice), match: calls.start })
  if (dice.chance(0.5)) simulator.failNext({ ...mutationFault(dice), match: calls.stop })
  spoilLooks(moment, world, meeting, dice)

  const headers = (id: string) => ({ 'x-request-id': id, ...(dice.chance(0.5) && { 'idempotency-key': id }) })
  const from = simulator.journal.length
  const started = clients.start('POST', `/v2${calls.start.path}`, { name }, headers(`${name}-start`))
  await comes(moment, world, meeting, started, dice, from)
  let stopHeaders = headers(`${name}-stop-0`)
  const stop = () => clients.stop('POST', `/v2${calls.stop.path}`, undefined, stopHeaders)
  let reply = await stop()
  for (let tries = 1; isToBeSentAgain(reply); tries++) {
    await pause(Number(reply.headers['retry-after'] ?? 0) * 1_000 + 100)
    // A failure is final under its key.
    stopHeaders = headers(`${name}-stop-${tries}`)
    reply = await stop()
  }
  const isTrue = !isDone(reply) || goingOn(world, meeting).length === 0
  if (!isTrue && !isStartLast(moment, world, meeting) && !isRefusedUnseen(world))
    report(campaign, world, meeting, `${name}, stopped ${moment}: it runs, and the stop says ${reply.body}`)
  await started
  return { moment, reply, requestId: stopHeaders['x-request-id'] }
}
