import { setTimeout as pause } from 'node:timers/promises'
import type { SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { type Client, client, type Reply } from '../gateway.ts'
import { report, runsOf, startFromBrowser, type World } from './campaign.ts'
import { on } from './campaign-faults.ts'
import { type Asked, confusion } from './confusion.ts'
import { Dice } from './dice.ts'
import { factors, goingOn, isBlind, isPossible, isRefusedUnseen, type OddCampaign, type Plan } from './odd-vendors.ts'
import { allSettled, answered } from './start-rounds.ts'
import { isToBeSentAgain } from './stop-moments.ts'

/** Vendors with any habits, Dyte and RealtimeKit, each with one meeting. */
export function anyVendors(count: number, from: number): Plan[] {
  return Array.from({ length: count }, (_, i): Plan => {
    const dice = new Dice(`order ${from + i}`)
    return { answers: anyAnswers(dice), meetings: 1, rounds: 1 }
  })
}

function anyAnswers(dice: Dice): SimulatorOptions {
  const { restart, ...chosen } = Object.fromEntries(
    Object.entries(factors).map(([name, values]) => [name, dice.pick<unknown>(values)])
  ) as { [name in keyof typeof factors]: (typeof factors)[name][number] }
  const one = { ...chosen, ...restart }
  const { contract, ...rest } = one
  if (!isPossible(one)) return anyAnswers(dice)
  return dice.chance(0.2) && contract === 'L2' ? { ...rest, vendor: 'realtimekit' } : one
}

type Step = 'start' | 'stop' | 'look' | 'browser'

/** Calls of a tenant to one meeting, and the vendor's confusion about each; then an honest vendor, and the tenant's last word. */
export async function runOrder(campaign: OddCampaign, world: World, name: string, deadlineMs: number): Promise<void> {
  const [meeting = ''] = world.meetings
  const dice = new Dice(name)
  const { simulator } = world
  const wrong = (what: string): void => report(campaign, world, meeting, `${name}: ${what}`)
  const path = `/v2/meetings/${meeting}`
  const call: Client = client(campaign.gateway.url, campaign.authorization)
  const keys: string[] = []
  /** An earlier start may still come: its caller was not told. */
  let mayCome = false

  for (let left = dice.between(3, 6); left > 0; left--) {
    await pause(dice.pick([0, dice.between(0, 1_500)]))
    const step = dice.pick<Step>(['start', 'start', 'start', 'stop', 'stop', 'look', 'browser'])
    if (step === 'browser') await browse()
    else if (dice.chance(0.2)) await Promise.all([take(step, false), take(dice.pick(['start', 'stop']), false)])
    else await take(step, true)
  }

  const isStop = dice.chance(0.7)
  if (isStop) await sayStop()
  simulator.clearFaults()
  await allSettled(campaign, meeting)
  if (!isStop) {
    const started = await answered(campaign, [200, 201], () => call('POST', `${path}/livestreams`))
    if (started === null) wrong('the last start was never answered')
    if (goingOn(world, meeting).length !== 1) wrong(`${goingOn(world, meeting).length} run after ${started?.body}`)
    const stopped = await answered(campaign, [200, 404], () => call('POST', `${path}/active-livestream/stop`))
    if (stopped === null) wrong('the last stop was never answered')
    await allSettled(campaign, meeting)
  }
  if (goingOn(world, meeting).length > 0) wrong('it runs in the end')
  const runs = runsOf(world, meeting)
  const { stoppingForMs = 0 } = world.answers
  const endOf = (endedAt: string | null = ''): number =>
    endedAt === null ? Number.POSITIVE_INFINITY : Date.parse(endedAt) - stoppingForMs
  if (runs.some(({ beganAt }, i) => i > 0 && Date.parse(beganAt) < endOf(runs[i - 1]?.endedAt))) wrong('two at once')

  /** One call of the tenant's. @param isAlone nothing else is under way: then its answer must be true of the vendor */
  async function take(step: Exclude<Step, 'browser'>, isAlone: boolean): Promise<void> {
    confuse(step)
    const from = simulator.journal.length
    if (step === 'look') {
      check(await call('GET', `${path}/active-livestream`), step)
      return
    }
    const key = keyOf()
    const [method, target] =
      step === 'start' ? ['POST', `${path}/livestreams`] : ['POST', `${path}/active-livestream/stop`]
    const reply = await call(method, target, undefined, key === null ? {} : { 'idempotency-key': `${step}-${key}` })
    check(reply, step)
    const { outcome } = reply.json().error ?? {}
    if (step === 'start' && outcome === 'unknown') mayCome = true
    if (!isAlone || reply.headers['idempotency-replayed'] !== undefined) return
    const running = goingOn(world, meeting)
    const isDone = reply.statusCode === 200 || reply.statusCode === 404
    if (step === 'stop' && isDone && !mayCome && !isRefusedUnseen(world) && running.length > 0)
      wrong(`it runs after the stop ${reply.body}`)
    const isMisled = simulator.journal.slice(from).some(({ fault }) => (fault?.status ?? 999) < 300)
    if (step === 'start' && reply.statusCode < 300 && !isMisled && !running.includes(reply.json().data.id))
      wrong(`the start was told ${reply.body}, and that one does not run`)
  }

  /** A key of its own, that of an earlier call, or none. */
  function keyOf(): string | null {
    if (dice.chance(0.5)) return null
    if (keys.length === 0 || dice.chance(0.7)) keys.push(`${name}-${keys.length}`)
    return dice.pick(keys)
  }

  /** Confuses the vendor about this step, and about the questions that belong to it. */
  function confuse(step: Exclude<Step, 'browser'>): void {
    const { start, stop, look } = on(meeting)
    const foreign = simulator.livestreams().find(({ meeting_id }) => meeting_id !== meeting)?.id ?? ''
    const queue = (match: { method: string; path: string }, asked: Asked): void => {
      const fault = confusion(dice, asked, foreign, deadlineMs)
      // A vendor that refuses a stop before LIVE has not done it when it says so afterwards: that would be a lie.
      const mayLie = asked === 'stop' && refusesEarlyStops(world) && fault.afterWork === true
      simulator.failNext({ ...fault, ...(mayLie && { afterWork: false, status: 500 }), match })
    }
    if (step === 'start' && dice.chance(0.5)) queue(start, 'start')
    if (step === 'stop' && dice.chance(0.5)) queue(stop, 'stop')
    for (let some = dice.between(0, 2); some > 0; some--) queue(look, 'look')
    if (dice.chance(0.2)) queue({ method: 'GET', path: '/livestreams/**' }, 'other')
    if (dice.chance(0.2)) queue({ method: 'GET', path: '/livestreams' }, 'other')
    if (dice.chance(0.1)) queue({ method: 'GET', path: `/meetings/${meeting}` }, 'other')
    if (dice.chance(0.1)) queue({ method: 'GET', path: `/meetings/${meeting}/livestream**` }, 'other')
  }

  /** Somebody in the meeting starts it, past the gateway. */
  async function browse(): Promise<void> {
    if (isBlind(world) || goingOn(world, meeting).length > 0) return
    try {
      startFromBrowser(world, meeting)
    } catch {
      // The vendor refuses it while the last run is stopping.
    }
    // The `Date` of an answer has whole seconds: what began within one before a start whose answer is lost can't be told from it.
    await pause(1_200)
  }

  /** Until it was taken: done, nothing live, or under way. */
  async function sayStop(): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      confuse('stop')
      const reply = await call('POST', `${path}/active-livestream/stop`)
      check(reply, 'last stop')
      if (!isToBeSentAgain(reply)) return
      await pause(Math.min(2, Number(reply.headers['retry-after'] ?? 0)) * 1_000 + 100)
    }
    wrong('the last stop was never taken')
  }

  function check(reply: Reply, what: string): void {
    const { statusCode, json } = reply
    let body: { data?: unknown; error?: { type?: unknown } } = {}
    try {
      body = json()
    } catch {
      // Then it has neither.
    }
    if (statusCode < 300 ? body.data === undefined : typeof body.error?.type !== 'string')
      wrong(`${what}: ${statusCode} ${reply.body.slice(0, 300)}`)
    if (statusCode === 500) wrong(`${what}: ${reply.body}`)
  }
}

/**
 * Another tenant starts and stops at the same vendor. Where the vendor says nothing of its own, the lists of the account are read, and
 * those may be confused: a start and a look are sent until they are answered, a stop once.
 */
export async function goOnBeside(campaign: OddCampaign, world: World, name: string): Promise<void> {
  const call = client(campaign.gateway.url, campaign.othersAuthorization)
  const { id } = campaign.othersMeetings.get(world) ?? { id: '' }
  const dice = new Dice(`${name}-beside`)
  const wrong = (what: string): void => report(campaign, world, id, `${name}, beside it: ${what}`)
  const path = `/v2/meetings/${id}`
  await pause(dice.between(0, 2_000))
  const started = await answered(campaign, [200, 201], () => call('POST', `${path}/livestreams`))
  await pause(dice.between(0, 2_000))
  const shown = await answered(campaign, [200], () => call('GET', `${path}/active-livestream`))
  if (started === null || shown === null) wrong('a start or a look was never answered')
  await pause(dice.between(0, 2_000))
  const since = Date.now() - 3_000
  const { statusCode, body, json } = await call('POST', `${path}/active-livestream/stop`)
  // A 429 is about the whole account: nobody's calls are sent before its time is over (docs/limits.md).
  const isPaused = world.simulator.journal.some(({ at, status }) => at > since && status === 429)
  const isTooEarly = refusesEarlyStops(world) && json().error?.outcome === 'unknown'
  if (statusCode !== 200 && !isPaused && !isTooEarly) wrong(`the stop was answered ${statusCode} ${body}`)
  await answered(campaign, [200, 404], () => call('POST', `${path}/active-livestream/stop`))
  await allSettled(campaign, id)
  if (goingOn(world, id).length > 0) wrong('it runs in the end')
}

function refusesEarlyStops({ answers }: World): boolean {
  return (answers.stopRefusal ?? 'none') !== 'none'
}
