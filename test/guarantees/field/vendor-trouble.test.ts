import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Fault } from '../../../src/simulator/simulator.ts'
import {
  type Bed,
  callAll,
  type Expected,
  elsewhere,
  everywhere,
  fine,
  makeBeds,
  mutations,
  type Operation,
  type Outcome,
  operations,
  says,
  use
} from '../../support/campaigns/trouble.ts'
import { gateway } from '../../support/gateway.ts'
import { latestMs } from '../../support/grace.ts'

/** No deadline decides anything where the vendor answers, or hangs up: so long that it never comes. */
const neverMs = 120_000
/** Shorter than the 5 s for which a vendor that says no more than 429 is left alone: a stop then does not wait for its second try. */
const noSecondTryMs = 4_900
const marker = `marker-${randomUUID()}`
const other = await elsewhere(t)

/** One way to fail, what every operation answers then, and what a second start of the same meeting answers after it. */
interface Trouble {
  fault: Fault
  expected: Expected
  again: string
  /** How often the start goes out, when it is not once. */
  starts?: number
  /** The vendor does not answer, so that the deadline has to come; or it asks to be left alone, for longer than the deadline. */
  needs?: 'silence' | 'pause'
}

const unsettled = '409 start_unsettled not_sent'
const late = { expected: everywhere(504, 'upstream_too_late', 'unknown'), needs: 'silence' } as const
const malformed = everywhere(502, 'upstream_malformed', 'unknown')
/** Where the look at a meeting fails the lists of what runs show it. */
const failed = { ...everywhere(502, 'upstream_failed', 'unknown'), check: '200', active: '200' }
const refused = everywhere(502, 'upstream_refused', 'failed')
const lost = everywhere(502, 'upstream_unreachable', 'unknown')
/** The vendor says that nothing is live, and shows a livestream: then the stop is sent again. */
const stopGoesOn = { stop: '502 upstream_refused unknown' }
/** Its answer is lost, but the vendor shows at once what the start has begun. */
const foundAtOnce = { start: '201' }
/** A stop that did not reach the vendor is sent again all the same. */
const credentials = {
  ...everywhere(502, 'upstream_credentials_refused', 'not_sent'),
  stop: '502 upstream_credentials_refused unknown'
}
const throttled = {
  expected: { ...everywhere(503, 'upstream_throttled', 'not_sent'), stop: '503 upstream_throttled unknown' },
  needs: 'pause'
} as const
/** The vendor's own no to the moment: the start is sent once more, after a look that shows nothing. */
const triedAgain = { start: '201' }

/** The vendor's words may hold its customer's id: none of it is for tenants. */
const words = (org: string) => ({
  success: false,
  org_id: org,
  error: { code: 0, message: `${marker} of organization ${org}` }
})

const troubles = (org: string): Record<string, Trouble> => {
  const status = (code: number): Fault => ({ status: code, body: words(org) })
  const badToken = { status: 403, body: { ...words(org), errors: [{ code: 10_000, message: marker }] } }
  const missing = {
    start: '404 meeting_not_found',
    patchMeeting: '404 meeting_not_found',
    putMeeting: '501 not_offered_by_upstream failed',
    check: '200'
  }
  const missingReads = {
    active: '404 no_active_livestream',
    getLivestream: '404 livestream_not_found',
    getMeeting: '404 meeting_not_found'
  }
  return {
    'slow before the work': { fault: { delayMs: 3_600_000 }, ...late, again: unsettled },
    'slow after the work': { fault: { delayMs: 3_600_000, afterWork: true }, ...late, again: '200' },
    'silent before the headers': { fault: { stall: true }, ...late, again: unsettled },
    'silent in the middle of the body': { fault: { stallBody: true }, ...late, again: '200' },
    'one byte a second': { fault: { drip: { bytesPerSecond: 1 } }, ...late, again: '200' },
    garbage: { fault: { garbage: true }, expected: malformed, again: unsettled },
    'garbage after the work': {
      fault: { garbage: true, afterWork: true },
      expected: { ...malformed, ...foundAtOnce },
      again: '200'
    },
    'another envelope': { fault: { mutate: 'wrong_shape' }, expected: { ...malformed, ...foundAtOnce }, again: '200' },
    'no data': {
      fault: { mutate: 'null_data' },
      // It is an answer of active-livestream: nothing is live.
      expected: { ...malformed, ...foundAtOnce, check: '200', active: missingReads.active },
      again: '200'
    },
    'a list instead of an object': {
      fault: { mutate: 'list_data' },
      expected: { ...malformed, ...foundAtOnce },
      again: '200'
    },
    "another meeting's object": {
      fault: { mutate: 'other_meeting' },
      expected: {
        ...fine,
        ...{ ...foundAtOnce, check: malformed.check, active: malformed.active },
        // One that the vendor shows in another meeting is not the tenant's (any more).
        getLivestream: '502 upstream_malformed'
      },
      again: '200'
    },
    'an object with another id': {
      fault: { mutate: 'other_id' },
      expected: {
        ...fine,
        getLivestream: malformed.getLivestream,
        getMeeting: malformed.getMeeting,
        patchMeeting: malformed.patchMeeting,
        putMeeting: malformed.putMeeting
      },
      again: '200'
    },
    'an unknown status word': { fault: { mutate: 'unknown_status' }, expected: fine, again: '200' },
    '401': { fault: status(401), expected: credentials, again: '201' },
    "the edge's 403": { fault: badToken, expected: credentials, again: '201' },
    '404': { fault: status(404), expected: { ...refused, ...missing, ...missingReads, ...stopGoesOn }, again: '201' },
    '408': { fault: status(408), expected: everywhere(502, 'upstream_failed', 'unknown'), again: unsettled },
    '409': {
      fault: status(409),
      expected: { ...refused, ...triedAgain, ...stopGoesOn, check: '200', active: '200' },
      again: '200',
      starts: 2
    },
    '422': {
      fault: status(422),
      expected: { ...refused, check: '200', ...missingReads, ...stopGoesOn },
      again: '201'
    },
    '429': { fault: status(429), ...throttled, again: '201' },
    '429 with a time': { fault: { retryAfterSeconds: 7 }, ...throttled, again: '201' },
    '500': { fault: status(500), expected: failed, again: unsettled },
    '500 after the work': {
      fault: { ...status(500), afterWork: true },
      expected: { ...failed, ...foundAtOnce },
      again: '200'
    },
    '503': { fault: status(503), expected: failed, again: unsettled },
    'a redirect': { fault: { redirect: other.url }, expected: malformed, again: unsettled },
    'a huge answer': { fault: { huge: 2 * 1024 * 1024 }, expected: malformed, again: unsettled },
    'a lost connection': { fault: { hangUp: true }, expected: lost, again: unsettled },
    'a lost connection after the work': {
      fault: { hangUp: true, afterWork: true },
      expected: { ...lost, ...foundAtOnce },
      again: '200'
    }
  }
}

const saidOf = (outcomes: Record<Operation, Outcome>): Record<string, string> =>
  Object.fromEntries(operations.map(name => [name, outcomes[name].says]))
const slowestOf = (outcomes: Record<Operation, Outcome>): number =>
  Math.max(...Object.values(outcomes).map(({ tookMs }) => tookMs))

/** A gateway with so long a deadline, things of acme for so many rounds of calls, and a count of what the vendor has heard. */
async function worldOf(t: Test, deadlineMs: number, rounds: number) {
  const beds: Bed[] = []
  const world = await gateway(t, {
    config: { deadlineMs },
    unmoved: true,
    slowDisk: true,
    before: async (store, simulator) => {
      beds.push(...(await makeBeds(store, simulator, rounds)))
    }
  })
  const { simulator, asAcme } = world
  const nextBed = (): Bed => beds.shift() as Bed
  t.equal((await asAcme('POST', '/v2/meetings')).statusCode, 201, 'warmed up')

  return {
    ...world,
    nextBed,
    sent(name: Operation, bed: Bed): number {
      const { method, path } = use(name, bed).vendor
      return simulator.journal.filter(entry => entry.method === method && entry.target === `/v2${path}`).length
    },
    /** How long the slowest call takes without trouble. */
    async calm(): Promise<number> {
      const outcomes = await callAll(asAcme, nextBed())
      t.strictSame(saidOf(outcomes), fine, 'without trouble')
      return slowestOf(outcomes)
    }
  }
}

/** Checks the answers of all operations in this trouble. Gives how long the slowest took. */
async function tryOut(t: Test, world: Awaited<ReturnType<typeof worldOf>>, trouble: Trouble): Promise<number> {
  const { simulator, asAcme, sent } = world
  const { fault, expected, again, starts = 1 } = trouble
  const bed = world.nextBed()
  simulator.journal.length = 0
  for (const operation of operations) simulator.failNext({ ...fault, match: use(operation, bed).vendor })
  // Counted with the answer: half a second after it a stop may be repeated in the background, since it can be.
  const timesSent: Partial<Record<Operation, number>> = {}
  const outcomes = await callAll(asAcme, bed, name => {
    if (mutations.includes(name)) timesSent[name] = sent(name, bed)
  })
  t.strictSame(saidOf(outcomes), expected, 'answers')
  const once = Object.fromEntries(mutations.map(name => [name, 1]))
  t.strictSame(timesSent, { ...once, start: starts }, 'how often each mutation was sent')
  const inner = [simulator.org, simulator.key, marker, 'this is not what was asked for', other.url]
  for (const { reply } of Object.values(outcomes)) {
    const text = JSON.stringify([reply.headers, reply.body])
    t.notOk(
      inner.find(part => text.includes(part)),
      "nothing of the vendor's words"
    )
    const waits = reply.statusCode === 503 ? String(fault.retryAfterSeconds ?? 5) : undefined
    t.equal(reply.headers['retry-after'], waits, 'how long to wait')
  }

  simulator.clearFaults()
  const { method, path, body } = use('start', bed)
  const reply = await asAcme(method, path, body)
  t.equal(says(reply), again, 'a second start')
  t.equal(sent('start', bed), again === '201' ? 2 : starts, 'goes out only after one that did not happen')
  if (again === unsettled) t.match(reply.headers['retry-after'], /^\d+$/, 'and says when to come back')
  return slowestOf(outcomes)
}

t.test('callers hear the documented error, in time, and nothing is sent twice, whatever the vendor does', async t => {
  const patient = await worldOf(t, neverMs, 30)
  const calmMs = [await patient.calm()]
  const named = Object.entries(troubles(patient.simulator.org))
  const tryAll = async (world: Awaited<ReturnType<typeof worldOf>>, needs?: Trouble['needs']): Promise<number> => {
    const slowestMs: number[] = []
    for (const [name, trouble] of named.filter(([, one]) => one.needs === needs)) {
      await t.test(name, async t => slowestMs.push(await tryOut(t, world, trouble)))
    }
    return Math.round(Math.max(...slowestMs))
  }
  const answeredMs = await tryAll(patient)
  const pausedMs = await tryAll(await worldOf(t, noSecondTryMs, 2), 'pause')
  calmMs.push(await patient.calm())
  const slowestCalmMs = Math.max(...calmMs)
  const soonMs = latestMs(0, slowestCalmMs)
  t.ok(Math.max(answeredMs, pausedMs) <= soonMs, `what the vendor says is told within ${soonMs} ms: ${answeredMs} ms`)

  // Before it is sent, a start has a look at the meeting: the deadline of a slow machine leaves time for that.
  const deadlineMs = Math.round(500 + 3 * slowestCalmMs)
  const silentMs = await tryAll(await worldOf(t, deadlineMs, 5), 'silence')
  const lateMs = latestMs(deadlineMs, slowestCalmMs)
  t.ok(silentMs <= lateMs, `that it says nothing is told within ${lateMs} ms: ${silentMs} ms`)
  t.equal(other.requests(), 0, 'no answer led the gateway elsewhere')

  await t.test('an unknown status word passes as it is', async t => {
    patient.simulator.fail({ mutate: 'unknown_status' })
    const outcomes = await callAll(patient.asAcme, patient.nextBed())
    const shown = operations.map(name => {
      const { data } = outcomes[name].reply.json()
      return (data.livestream ?? data).status
    })
    t.strictSame(
      shown,
      operations.map(name => (name === 'stop' ? undefined : 'PAUSED'))
    )
  })
})
