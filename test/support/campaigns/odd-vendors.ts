import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { presets } from '../../../src/domain/scope.ts'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { type Gateway, startGateway } from '../../../src/gateway.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import { createSimulator, type Simulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { openUpstream } from '../../../src/upstream/account/open-upstream.ts'
import { accountOf, realtimekitAccountOf } from '../account.ts'
import { plenty } from '../config.ts'
import { addKey, addTenant, configFor, type TestContext } from '../gateway.ts'
import { inMemory } from '../in-memory.ts'
import { countOf, inFull } from '../runner/campaigns.ts'
import { openStoreHere } from '../store.ts'
import { answers, type Campaign, type World } from './campaign.ts'
import { settleMs } from './campaign-faults.ts'
import { Dice } from './dice.ts'
import { pairwise } from './pairwise.ts'

/** Answers that programs met at the real vendors (contract#open-questions), each with every value that is not the simulator's usual one. */
export const switches: Record<string, readonly SimulatorOptions[]> = {
  'nothing live': (['400', '409', '500', 'null', 'empty'] as const).map(nothingLive => ({ nothingLive })),
  'what is over is shown': [{ activeShowsEnded: true }],
  'a stop is refused before LIVE': (['400', '404', '409'] as const).map(stopRefusal => ({ stopRefusal })),
  'a stop with nothing live': [{ stopWithNothingLive: '400' }],
  'a restart has to wait': (['400', '409'] as const).map(how => ({ restartAfterMs: 1_200, restartRefusal: how })),
  'a run goes on after its stop': [{ stoppingForMs: 2_500 }],
  validation: [{ validation: '400' }],
  'the clock of the vendor': [{ clockOffsetMs: 3_600_000 }, { clockOffsetMs: -3_600_000 }]
}

/** Factors of a vendor, but for its lists: a list in the form of the schema has one livestream only, and tells nothing of a second. */
export const factors = {
  contract: ['L1', 'L2'],
  activeDuringInvoked: ['200', '404'],
  startWhileLive: ['200', '409', 'second'],
  stopWithNothingLive: ['200', '400', '404', '409'],
  livestreamId: ['reused', 'new'],
  activeShowsStreamKey: [true, false],
  nothingLive: ['404', '400', '409', '500', 'null', 'empty'],
  activeShowsEnded: [false, true],
  stopRefusal: ['none', '400', '404', '409'],
  restart: [{}, ...(switches['a restart has to wait'] ?? [])],
  stoppingForMs: [0, 2_500],
  validation: ['422', '400'],
  clockOffsetMs: [0, 3_600_000, -3_600_000],
  liveAfterMs: [0, 1_000]
} as const

/**
 * In L1 OFFLINE is a run that begins as well as one that is over: the simulator refuses to show it as active. For the same reason no
 * look sees a run that was stopped while it was hidden, and to which the vendor joins the next start: that is left out.
 */
export const isPossible = (one: SimulatorOptions): boolean => {
  const isJoinedUnseen = one.activeDuringInvoked === '404' && one.startWhileLive === '200' && one.stoppingForMs
  return !(one.contract === 'L1' && (one.activeShowsEnded || isJoinedUnseen))
}

/** Every two values of two switches, old or new, meet in one of them. */
export const pairs: SimulatorOptions[] = pairwise(factors, isPossible).map(({ restart, ...one }) => ({
  ...one,
  ...restart
}))

/** A vendor, and what is wanted of it. */
export interface Plan {
  answers: SimulatorOptions
  meetings: number
  rounds: number
}

/** No more at one vendor: so many that fail together would keep its breaker open, and each other waiting. */
const meetingsInEach = 8

/** Each value of each switch, with whatever else a vendor may be. In a normal run the values of a switch share its count. */
export function planEach(campaign: 'oddStarts' | 'oddStops', rounds: number): Plan[] {
  return Object.entries(switches).flatMap(([name, values]) =>
    values.flatMap((value, i) => {
      const dice = new Dice(`${name} ${i}`)
      const others = answers.filter(other => isPossible({ ...other, ...value }))
      const count = Math.ceil(countOf(campaign) / (inFull ? 1 : values.length) / rounds)
      return Array.from({ length: Math.ceil(count / meetingsInEach) }, (_, part): Plan => {
        const meetings = Math.min(meetingsInEach, count - part * meetingsInEach)
        return { answers: { liveAfterMs: dice.pick([0, 1_000]), ...dice.pick(others), ...value }, meetings, rounds }
      })
    })
  )
}

export interface OddCampaign extends Campaign {
  gateway: Gateway
  plans: Map<World, Plan>
  /** Another tenant, with one meeting at each vendor. */
  othersAuthorization: string
  othersMeetings: Map<World, { id: string }>
}

/** One gateway in front of all these vendors, with a tenant that has meetings at each, and another one. */
export async function openOdd(t: TestContext, plans: readonly Plan[], deadlineMs: number): Promise<OddCampaign> {
  const org = `org-${randomBytes(8).toString('hex')}`
  const key = randomBytes(10).toString('hex')
  const storeFile = join(inMemory(t).testdir(), 'livegate.db')
  const store = await openStoreHere(storeFile, { busyTimeoutMs: 10_000 })
  t.teardown(() => store.close())
  await addTenant(store, 'acme')
  await addTenant(store, 'globex')
  const { key: ours } = await addKey(store, 'acme', presets.owner)
  const { key: theirs } = await addKey(store, 'globex', presets.owner)

  const worlds = new Map<World, Plan>()
  const othersMeetings = new Map<World, { id: string }>()
  for (const [i, plan] of plans.entries()) {
    const name = `vendor-${i}`
    const isDyte = plan.answers.vendor !== 'realtimekit'
    const simulator = await createSimulator({ ...plan.answers, ...(isDyte && { org, key }) })
    t.teardown(() => simulator.close())
    const meetings = Array.from({ length: plan.meetings }, () => simulator.addMeeting().id)
    const other = simulator.addMeeting()
    await meetingsIn(store).assign('acme', name, meetings, Date.now())
    await meetingsIn(store).assign('globex', name, [other.id], Date.now())
    const world = { name, answers: plan.answers, simulator, meetings, byBrowser: new Map() }
    worlds.set(world, plan)
    othersMeetings.set(world, other)
  }
  const [first] = worlds.keys()
  if (first === undefined) throw new Error('no vendors')
  const open = (simulator: Simulator) => {
    const account = simulator.vendor === 'dyte' ? accountOf(simulator) : realtimekitAccountOf(simulator)
    return openUpstream({ account, deadlineMs, clock: systemClock })
  }
  const upstreams = new Map([...worlds.keys()].map(({ name, simulator }) => [name, open(simulator)]))
  const settings = { deadlineMs, settleMs, readLimit: plenty, writeLimit: plenty }
  const gateway = await startGateway({
    config: { ...configFor(first.simulator, storeFile), ...settings },
    logger: makeLogger('silent'),
    upstreams,
    open: openStoreHere
  })
  t.teardown(gateway.close)
  return {
    worlds: [...worlds.keys()],
    plans: worlds,
    gateway,
    storeFile,
    operations: operationsIn(store),
    authorization: `Bearer ${ours}`,
    othersAuthorization: `Bearer ${theirs}`,
    othersMeetings,
    upstreams,
    env: {},
    serving: null,
    broken: []
  }
}

/** The livestreams of a meeting that run and that nobody has stopped: what is stopped may take its time to end. */
export function goingOn({ simulator }: World, meeting: string): string[] {
  return simulator
    .livestreams()
    .filter(({ meeting_id, stopping }) => meeting_id === meeting && !stopping)
    .filter(({ sessions }) => sessions.some(({ stopped_time }) => stopped_time === null))
    .map(({ id }) => id)
}

/**
 * No look can see a run that was begun elsewhere where the vendor hides what is INVOKED and begins a second one for a second start: the one
 * combination that is left out.
 */
export function isBlind({ answers }: World): boolean {
  return answers.startWhileLive === 'second' && answers.activeDuringInvoked === '404'
}

/** A stop that comes too early is refused, and no look shows what it was for: only in the end it must have worked. */
export function isRefusedUnseen({ answers }: World): boolean {
  return (answers.stopRefusal ?? 'none') !== 'none' && answers.activeDuringInvoked === '404'
}
