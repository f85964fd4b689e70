import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { presets } from '../../../src/domain/scope.ts'
import { createSimulator, type Simulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { type Operations, operationsIn } from '../../../src/store/tables/operations.ts'
import type { Upstream } from '../../../src/upstream/provider.ts'
import { addKey, addTenant, type Client, type TestContext } from '../gateway.ts'
import { openStoreHere } from '../store.ts'
import { deadlineMs, settleMs } from './campaign-faults.ts'
import { upstreamsOf } from './campaign-upstreams.ts'
import { Dice } from './dice.ts'

/** Questions that the vendor's documentation leaves open (contract#open-questions), each with every answer that it may have. */
const questions = {
  contract: ['L1', 'L2'],
  activeDuringInvoked: ['200', '404'],
  startWhileLive: ['200', '409', 'second'],
  stopWithNothingLive: ['200', '404', '409'],
  livestreamId: ['reused', 'new'],
  activeShowsStreamKey: [true, false]
} as const

export const answers = Object.entries(questions).reduce<SimulatorOptions[]>(
  (some, [question, given]) => some.flatMap(one => given.map(answer => ({ ...one, [question]: answer }))),
  [{}]
)

/** So many of them, in which every two answers to two questions meet as soon as that is possible. */
export function someAnswers(count: number): SimulatorOptions[] {
  const left = new Set(answers)
  const met = new Set<string>()
  const chosen: SimulatorOptions[] = []
  while (chosen.length < count && left.size > 0) {
    const news = (one: SimulatorOptions): number => pairsOf(one).filter(pair => !met.has(pair)).length
    const best = [...left].reduce((a, b) => (news(b) > news(a) ? b : a))
    for (const pair of pairsOf(best)) met.add(pair)
    left.delete(best)
    chosen.push(best)
  }
  return chosen
}

function pairsOf(one: SimulatorOptions): string[] {
  const given = Object.entries(one).map(entry => entry.join(' '))
  return given.flatMap((first, i) => given.slice(i + 1).map(second => `${first}, ${second}`))
}

/** One vendor, with one answer to each open question. */
export interface World {
  /** The upstream of its meetings. */
  name: string
  answers: SimulatorOptions
  simulator: Simulator
  meetings: string[]
  /** The runs that a browser began, past the gateway, as meeting and count. */
  byBrowser: Map<string, number>
}

/** A store in which one tenant has meetings at many vendors, one for each way to answer the open questions. */
export interface Campaign {
  worlds: World[]
  storeFile: string
  operations: Operations
  /** The tenant's `Authorization`. */
  authorization: string
  /** For a gateway in this process. */
  upstreams: Map<string, Upstream>
  /** For a gateway in a process of its own. */
  env: Record<string, string>
  /** Kept while the gateway is down: nobody knocks before. Null: nobody kills it, and no connection may be lost. */
  serving: Promise<unknown> | null
  /** The promises that were broken. */
  broken: string[]
}

/** How long a run may be INVOKED. In L1 nothing tells a run that is hidden meanwhile from one that is over (contract#l1-statuses). */
const invokedMs = { L1: [0, 1_000], L2: [0, 1_000, 60_000] }

export async function openCampaign(t: TestContext, meetingsInEach: number, longestMs = 60_000): Promise<Campaign> {
  const org = `org-${randomBytes(8).toString('hex')}`
  const key = randomBytes(10).toString('hex')
  const storeFile = join(t.testdir(), 'livegate.db')
  const store = await openStoreHere(storeFile, { busyTimeoutMs: 10_000 })
  t.teardown(() => store.close())
  await addTenant(store, 'acme')

  const worlds: World[] = []
  for (const [i, given] of answers.entries()) {
    const name = `vendor-${i}`
    const liveAfterMs = Math.min(new Dice(name).pick(invokedMs[given.contract ?? 'L2']), longestMs)
    const simulator = await createSimulator({ ...given, org, key, liveAfterMs })
    t.teardown(() => simulator.close())
    const meetings = Array.from({ length: meetingsInEach }, () => simulator.addMeeting().id)
    await meetingsIn(store).assign('acme', name, meetings, Date.now())
    worlds.push({ name, answers: { ...given, liveAfterMs }, simulator, meetings, byBrowser: new Map() })
  }
  const { key: ours } = await addKey(store, 'acme', presets.owner)
  const addresses = worlds.map(({ name, simulator }): [string, string] => [name, simulator.url])
  return {
    worlds,
    storeFile,
    operations: operationsIn(store),
    authorization: `Bearer ${ours}`,
    upstreams: upstreamsOf(org, key, addresses),
    env: {
      DATABASE_URL: `sqlite:${storeFile}`,
      DYTE_ORG_ID: org,
      DYTE_API_KEY: key,
      LIVEGATE_DEADLINE_MS: String(deadlineMs),
      LIVEGATE_SETTLE_MS: String(settleMs),
      LIVEGATE_READ_LIMIT: '1000000/60',
      LIVEGATE_WRITE_LIMIT: '1000000/60',
      LOG_LEVEL: 'silent',
      UPSTREAMS: JSON.stringify(addresses)
    },
    serving: null,
    broken: []
  }
}

/** The same calls, some at a time: however slow the machine, none waits longer for the gateway than for its vendor. */
export function inSlots(call: Client, atOnce = 48): Client {
  const waiting: (() => void)[] = []
  let free = atOnce
  return async (...args) => {
    if (free > 0) free -= 1
    else await new Promise<void>(resolve => waiting.push(resolve))
    try {
      return await call(...args)
    } finally {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
}

/** A run that the vendor has, or had. */
export interface Run {
  livestreamId: string
  beganAt: string
  endedAt: string | null
}

/** All runs of a meeting in the order in which they began. */
export function runsOf({ simulator }: World, meeting: string): Run[] {
  return simulator
    .livestreams()
    .filter(({ meeting_id }) => meeting_id === meeting)
    .flatMap(({ id, sessions }) =>
      sessions.map(({ invoked_time, stopped_time }) => ({
        livestreamId: id,
        beganAt: invoked_time ?? '',
        endedAt: stopped_time
      }))
    )
    .sort((a, b) => (a.beganAt < b.beganAt ? -1 : 1))
}

export function runningIn(world: World, meeting: string): Run[] {
  return runsOf(world, meeting).filter(({ endedAt }) => endedAt === null)
}

/** A browser starts the livestream, past the gateway. Gives its id. */
export function startFromBrowser({ simulator, byBrowser }: World, meeting: string): string {
  byBrowser.set(meeting, (byBrowser.get(meeting) ?? 0) + 1)
  return simulator.startFromBrowser(meeting).id
}

/** The vendor's calls of this meeting, a list of livestreams left out. */
export function callsOf({ simulator }: World, meeting: string) {
  return simulator.journal.filter(({ target }) => target.includes(meeting))
}

/** The starts of this meeting that reached the vendor; each start of a campaign has a name of its own. */
export function startsOf(world: World, meeting: string, name?: string) {
  return callsOf(world, meeting).filter(
    ({ method, target, body }) =>
      method === 'POST' && target.endsWith('/livestreams') && (name === undefined || body.includes(`"${name}"`))
  )
}

/** Adds a broken promise, with what a person needs to understand it. */
export function report({ broken }: Campaign, world: World, meeting: string, what: string): void {
  const calls = callsOf(world, meeting).map(({ at, method, target, body, status, executed, fault }) =>
    [new Date(at).toISOString().slice(14), method, target.split(meeting)[1], body, status, executed && 'executed']
      .concat(fault === undefined ? '' : JSON.stringify({ ...fault, match: undefined }))
      .join(' ')
  )
  broken.push([what, JSON.stringify(world.answers), JSON.stringify(runsOf(world, meeting)), ...calls].join('\n  '))
}
