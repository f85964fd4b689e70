import { setTimeout as pause } from 'node:timers/promises'
import type { Client, Reply } from '../gateway.ts'
import { report, runsOf, startFromBrowser, startsOf, type World } from './campaign.ts'
import { lookFault, mutationFault, on } from './campaign-faults.ts'
import { Dice } from './dice.ts'
import { goingOn, isBlind, isRefusedUnseen, type OddCampaign } from './odd-vendors.ts'
import { allSettled, answered, startUntilTold } from './start-rounds.ts'

/** So many meetings at the same time: a caller who waits for the machine would be told too late. */
const atOnce = 128

/** Starts and stops in all meetings, in each one after the other, and looks at what became of them. */
export async function runOddRounds(campaign: OddCampaign, call: Client, deadlineMs: number): Promise<void> {
  const meetings = campaign.worlds.flatMap(world => world.meetings.map((meeting, i) => ({ world, meeting, i })))
  const work = async (): Promise<void> => {
    for (let next = meetings.shift(); next !== undefined; next = meetings.shift()) {
      const { world, meeting, i } = next
      const { rounds } = campaign.plans.get(world) ?? { rounds: 0 }
      await pause(new Dice(`${world.name}-${i}`).between(0, 1_000))
      for (let round = 0; round < rounds; round++)
        await startAndStop(campaign, world, meeting, `${world.name}-${i}-${round}`, { call, deadlineMs })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  await allSettled(campaign)
  for (const world of campaign.worlds) for (const meeting of world.meetings) checkTruth(campaign, world, meeting)
}

/** One start with its faults, by one caller or by two at once, each asking until it knows; then the stop. */
async function startAndStop(
  campaign: OddCampaign,
  world: World,
  meeting: string,
  name: string,
  { call, deadlineMs }: { call: Client; deadlineMs: number }
): Promise<void> {
  const dice = new Dice(name)
  const wrong = (what: string): void => report(campaign, world, meeting, `${name}: ${what}`)
  const { simulator } = world
  const elsewhere = await startElsewhere(campaign, world, meeting, dice)
  const before = runsOf(world, meeting).length
  for (let left = dice.between(0, 2); left > 0; left--)
    simulator.failNext({ ...mutationFault(dice, deadlineMs), match: on(meeting).start })
  if (dice.chance(0.2)) {
    // A stop that is carried out late would end what is started after it, and nobody could help that.
    const fault = mutationFault(dice, deadlineMs)
    const isLate = (fault.delayMs ?? 0) > deadlineMs
    simulator.failNext({ ...fault, ...(isLate && { afterWork: true }), match: on(meeting).stop })
  }
  if (dice.chance(0.3)) simulator.failNext({ ...lookFault(dice), match: on(meeting).look })
  if (dice.chance(0.05)) simulator.failNext({ ...lookFault(dice), match: on(meeting).list })

  const callers = Array.from({ length: dice.chance(0.2) ? 2 : 1 }, (_, i) => `${name}-${i}`)
  const told = await Promise.all(callers.map(caller => startUntilTold(campaign, world, meeting, call, caller)))

  const running = goingOn(world, meeting)
  const began = runsOf(world, meeting).length - before
  if (began > (elsewhere === null ? 1 : 0)) wrong(`${began} runs`)
  // Where one runs already a vendor that joins a start to it has executed it as well.
  if (elsewhere === null && told.filter(({ status }) => status === 201).length > began)
    wrong('201 without a run of its own')
  for (const { status, id } of told) {
    if (status < 300 && !running.includes(id ?? '')) wrong(`told ${status} ${id}, and that one does not run`)
  }
  const ask = async (method: string, path: string): Promise<Reply | null> =>
    answered(campaign, [200, 404], () => call(method, `/v2/meetings/${meeting}/${path}`))
  const active = await ask('GET', 'active-livestream')
  const isHidden = elsewhere !== null && world.answers.activeDuringInvoked === '404'
  if (!isHidden && active?.json().data?.id !== running[0]) wrong(`active-livestream shows ${active?.body}`)

  const stopped = await ask('POST', 'active-livestream/stop')
  if (stopped === null) wrong('the stop was never answered')
  if (isRefusedUnseen(world)) return allSettled(campaign, meeting)
  if (running.length > 0 && !isHidden && stopped?.statusCode !== 200) wrong(`stop: ${stopped?.body}`)
  if (goingOn(world, meeting).length > 0) wrong(`something runs after the stop ${stopped?.body}`)
  const after = await ask('GET', 'active-livestream')
  if (after?.statusCode !== 404) wrong(`after the stop active-livestream shows ${after?.body}`)
}

/** Somebody else has started: it is over again, or it goes on and is the livestream that a start gets. Null: nothing goes on. */
async function startElsewhere(
  campaign: OddCampaign,
  world: World,
  meeting: string,
  dice: Dice
): Promise<string | null> {
  const goesOn = dice.chance(0.2) && !isBlind(world)
  if (!goesOn && dice.chance(0.6)) return null
  // A stop that the vendor refused may still be repeated, and would end this run too.
  if (goesOn) await allSettled(campaign, meeting)
  try {
    const id = startFromBrowser(world, meeting)
    if (!goesOn) world.simulator.end(id)
    // The `Date` of an answer has whole seconds: what began within one before a start whose answer is lost can't be told from it.
    await pause(1_200)
    if (goesOn) return id
  } catch {
    // The vendor doesn't let a browser start either while the last run is stopping.
    world.byBrowser.set(meeting, (world.byBrowser.get(meeting) ?? 1) - 1)
  }
  return null
}

/** In the end: one run at a time, each by a start of its own that the vendor executed, and none goes on. */
function checkTruth(campaign: OddCampaign, world: World, meeting: string): void {
  const wrong = (what: string): void => report(campaign, world, meeting, what)
  const { startWhileLive, stoppingForMs = 0, restartAfterMs = 0, activeDuringInvoked } = world.answers
  const runs = runsOf(world, meeting)
  const ours = runs.length - (world.byBrowser.get(meeting) ?? 0)
  const starts = startsOf(world, meeting)
  const executed = starts.filter(start => start.executed).length
  if (executed < ours || (executed > ours && startWhileLive !== '200'))
    wrong(`double start: ${executed} executed, ${ours} runs`)
  const mayBeRefused = stoppingForMs > 0 || restartAfterMs > 0 || activeDuringInvoked === '404'
  if (!mayBeRefused && starts.some(({ status }) => status === 409)) wrong('double start: the vendor refused one')
  // A run that was stopped may overlap with one that is started while it ends.
  const stoppedAt = (endedAt: string | null = ''): number =>
    endedAt === null ? Number.POSITIVE_INFINITY : Date.parse(endedAt) - stoppingForMs
  if (runs.some(({ beganAt }, i) => i > 0 && Date.parse(beganAt) < stoppedAt(runs[i - 1]?.endedAt)))
    wrong('double start: two runs at once')
  if (goingOn(world, meeting).length > 0) wrong('lost: it runs, and nobody knows of it')
}
