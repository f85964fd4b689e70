import { setTimeout as pause } from 'node:timers/promises'
import type { Fault } from '../../../src/simulator/simulator.ts'
import type { Client, Reply } from '../gateway.ts'
import { type Campaign, report, runningIn, runsOf, startFromBrowser, startsOf, type World } from './campaign.ts'
import { lookFault, on } from './campaign-faults.ts'
import { Dice } from './dice.ts'

export interface RoundOptions {
  call: Client
  /** In each meeting, one after the other. */
  rounds: number
  /** Faults of the vendor, at most, for each round; and what they are. */
  faults: number
  fault(dice: Dice): Fault
  /** The rounds begin within this time. */
  spreadMs: number
  /** Reads of another replica may be so far behind (docs/replicas.md). */
  readsFollowMs?: number
}

/** The last answer to a caller. */
export interface Told {
  status: number
  /** The livestream's id. */
  id?: string
}

/** A caller whom nobody tells within this time what became of its start is left alone; while no gateway serves, it does not count. */
const withinMs = 240_000

/** Starts and stops in all meetings at the same time, and looks at what became of them until the last one is settled. */
export async function runRounds(campaign: Campaign, options: RoundOptions): Promise<void> {
  const meetings = campaign.worlds.flatMap(world => world.meetings.map((meeting, i) => ({ world, meeting, i })))
  await Promise.all(
    meetings.map(async ({ world, meeting, i }) => {
      for (let round = 0; round < options.rounds; round++) {
        await startAndStop(campaign, world, meeting, `${world.name}-${i}-${round}`, options)
      }
    })
  )
  await allSettled(campaign)
  for (const world of campaign.worlds) for (const meeting of world.meetings) checkTruth(campaign, world, meeting)
}

/** One start with its faults, by one caller or by two at once, each asking until it knows; then the stop. */
async function startAndStop(
  campaign: Campaign,
  world: World,
  meeting: string,
  name: string,
  { call, faults, fault, spreadMs, readsFollowMs = 0 }: RoundOptions
): Promise<void> {
  const dice = new Dice(name)
  const wrong = (what: string): void => report(campaign, world, meeting, `${name}: ${what}`)
  const { simulator } = world
  const hadOther = dice.chance(0.5)
  if (hadOther) simulator.end(startFromBrowser(world, meeting))
  const before = runsOf(world, meeting).length
  for (let left = dice.between(0, faults); left > 0; left--) {
    simulator.failNext({ ...fault(dice), match: on(meeting).start })
  }
  if (dice.chance(0.3)) simulator.failNext({ ...lookFault(dice), match: on(meeting).look })
  if (dice.chance(0.05)) simulator.failNext({ ...lookFault(dice), match: on(meeting).list })
  // A run of somebody else that began within the second of a start is a named limit (docs/lifecycle.md).
  await pause(dice.between(hadOther ? 1_000 : 0, spreadMs))

  const callers = Array.from({ length: dice.chance(0.2) ? 2 : 1 }, (_, i) => `${name}-${i}`)
  const told = await Promise.all(callers.map(caller => startUntilTold(campaign, world, meeting, call, caller)))

  const [running] = runningIn(world, meeting)
  const began = runsOf(world, meeting).length - before
  if (began > 1) wrong(`${began} runs`)
  if (told.filter(({ status }) => status === 201).length > began) wrong('201 without a run of its own')
  for (const { status, id } of told) {
    if (status < 300 && running?.livestreamId !== id) wrong(`told ${status} ${id}, and that one does not run`)
  }
  const ask = async (method: string, path: string): Promise<Reply | null> =>
    answered(campaign, [200, 404], () => call(method, `/v2/meetings/${meeting}/${path}`))
  let active = await ask('GET', 'active-livestream')
  const isBehind = (): boolean => active?.json().data?.id !== running?.livestreamId
  for (const endsAtMs = performance.now() + readsFollowMs; isBehind() && performance.now() < endsAtMs; ) {
    await pause(100)
    active = await ask('GET', 'active-livestream')
  }
  if (isBehind()) wrong(`active-livestream shows ${active?.body}`)
  const stopped = await ask('POST', 'active-livestream/stop')
  if (stopped === null || (running !== undefined && stopped.statusCode !== 200)) wrong(`stop: ${stopped?.body}`)
  if (runningIn(world, meeting).length > 0) wrong('something runs after the stop')
}

/**
 * Asks as a careful client would. With a key: the same request until it has a final answer. Without: after an unclear answer it
 * looks whether the meeting is live, or just starts again; each of those starts has a name of its own, to be told apart at the vendor.
 */
export async function startUntilTold(
  campaign: Campaign,
  world: World,
  meeting: string,
  call: Client,
  caller: string
): Promise<Told> {
  const dice = new Dice(caller)
  const key = dice.chance(0.5) ? caller : null
  const wrong = (what: string): void => report(campaign, world, meeting, what)
  const executed = (name: string): boolean => startsOf(world, meeting, name).some(start => start.executed)
  let giveUpAtMs = performance.now() + withinMs
  for (let tries = 0; performance.now() < giveUpAtMs; tries++) {
    const name = key ?? `${caller}-${tries}`
    const headers = { 'x-request-id': `${caller}-${tries}`, ...(key !== null && { 'idempotency-key': key }) }
    const reply = await call('POST', `/v2/meetings/${meeting}/livestreams`, { name }, headers).catch(() => null)

    if (reply !== null && reply.statusCode < 300) {
      if (reply.statusCode === 201 && !executed(name)) wrong(`${name} was told 201, and the vendor never executed it`)
      return { status: reply.statusCode, id: reply.json().data.id }
    }
    if (reply === null && campaign.serving === null) wrong('a connection was lost')
    const { type, outcome } = reply?.json().error ?? { outcome: 'unknown' }
    if (outcome === 'failed' || outcome === 'not_sent') {
      if (executed(name)) wrong(`${name} was told ${type} ${outcome}, and the vendor executed it`)
    } else if (outcome !== 'unknown' && type !== 'idempotency_key_in_use') wrong(`${name} was told ${reply?.body}`)
    if (outcome === 'failed') return { status: reply?.statusCode ?? 0 }
    giveUpAtMs += await waitAfter(campaign, reply, dice)
    if (key === null && outcome === 'unknown' && dice.chance(0.5)) {
      const active = await call('GET', `/v2/meetings/${meeting}/active-livestream`).catch(() => null)
      if (active?.statusCode === 200) return { status: 200, id: active.json().data.id }
    }
  }
  wrong(`${caller} was not told within ${withinMs} ms`)
  return { status: 0 }
}

/** Waits until no operation is open any more, of one meeting or of all. Many wait at once: the store is asked now and then. */
export async function allSettled({ operations, broken }: Campaign, meeting?: string): Promise<void> {
  const isOpen = async (): Promise<boolean> =>
    (await operations.unsettled()).some(one => meeting === undefined || one.meetingId === meeting)
  for (const giveUpAtMs = performance.now() + withinMs; await isOpen(); await pause(200)) {
    if (performance.now() < giveUpAtMs) continue
    broken.push('an operation stays open')
    return
  }
}

/** Asks until the answer is one of these. Null when none comes. */
export async function answered(
  campaign: Campaign,
  statuses: number[],
  ask: () => Promise<Reply>
): Promise<Reply | null> {
  let giveUpAtMs = performance.now() + withinMs
  while (performance.now() < giveUpAtMs) {
    const reply = await ask().catch(() => null)
    if (reply !== null && statuses.includes(reply.statusCode)) return reply
    giveUpAtMs += await waitAfter(campaign, reply)
  }
  return null
}

/** As the answer says, but no longer than two seconds; without an answer until the gateway is back. Gives how long it was away, in ms. */
async function waitAfter(campaign: Campaign, reply: Reply | null, dice = new Dice('patience')): Promise<number> {
  const askedAtMs = performance.now()
  await campaign.serving
  const awayMs = performance.now() - askedAtMs
  const toldMs = Math.min(Number(reply?.headers['retry-after'] ?? 0) * 1_000, 2_000)
  await pause(toldMs + dice.between(100, reply === null ? 2_000 : 300))
  return awayMs
}

/** In the end: every start that the vendor took up began a run of its own, one at a time, and none goes on. */
function checkTruth(campaign: Campaign, world: World, meeting: string): void {
  const wrong = (what: string): void => report(campaign, world, meeting, what)
  const runs = runsOf(world, meeting)
  const ours = runs.length - (world.byBrowser.get(meeting) ?? 0)
  const starts = startsOf(world, meeting)
  const executed = starts.filter(start => start.executed).length
  // A vendor that joins a start to the live run calls it a success as well.
  if (executed !== ours) wrong(`double start: ${executed} executed, ${ours} runs`)
  if (starts.some(({ status }) => status === 409)) wrong('double start: the vendor refused one')
  if (runs.some(({ beganAt }, i) => beganAt < (runs[i - 1]?.endedAt ?? '') || runs[i - 1]?.endedAt === null))
    wrong('double start: two runs at once')
  if (runs.some(({ endedAt }) => endedAt === null)) wrong('lost: it runs, and nobody knows of it')
}
