import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import fc, { type AsyncCommand } from 'fast-check'
import type { Fault } from '../../src/simulator/simulator.ts'
import { apiKeysIn } from '../../src/store/api-keys.ts'
import { operationsIn } from '../../src/store/operations.ts'
import { tenantsIn } from '../../src/store/tenants.ts'
import { until } from '../support/until.ts'
import { deadlineMs, type MeetingModel, must } from './operation-model.ts'
import { operationOf } from './settling.ts'

/** What may happen to the vendor's answer: before the work, or after it. None says no to what it has done. */
const faults: Record<string, Fault> = {
  none: {},
  'hangs up': { hangUp: true },
  'hangs up after': { hangUp: true, afterWork: true },
  500: { status: 500 },
  '500 after': { status: 500, afterWork: true },
  408: { status: 408 },
  'garbage after': { garbage: true, afterWork: true },
  'no data after': { mutate: 'null_data', afterWork: true },
  401: { status: 401 },
  429: { retryAfterSeconds: 1 },
  422: { status: 422 },
  409: { status: 409 },
  stalls: { stall: true },
  'stalls after': { stall: true, afterWork: true },
  late: { delayMs: deadlineMs * 2 }
}
/** Whether the vendor can be asked what is live. */
const looks: Record<string, Fault[]> = {
  'can be asked': [],
  'cannot be asked before': [{ status: 503 }],
  'cannot be asked after': [{}, { status: 503 }]
}

type Command = AsyncCommand<MeetingModel, object>

/** Each changes something, and holds what is asserted of every state after it. */
function command(
  name: string,
  run: (model: MeetingModel) => Promise<void>,
  check = (_: MeetingModel) => true
): Command {
  return {
    check,
    async run(model) {
      await model.world.pass(1)
      await run(model)
      model.world.simulator.clearFaults()
      await model.check()
    },
    toString: () => name
  }
}

/** What came of the calls, to see that all of it happens. */
export const seen = new Map<string, number>()

/** One call with its faults. Gives the answer, and how many runs the vendor has begun for it. */
async function call(model: MeetingModel, kind: 'start' | 'stop', key: string | null, fault: string, look: string) {
  const { simulator } = model.world
  const path = kind === 'start' ? model.startPath : model.stopPath
  const requestId = randomUUID()
  const from = simulator.journal.length
  simulator.failNext({ ...faults[fault], match: { method: 'POST', path: path.slice(3) } })
  const active = { method: 'GET', path: `/meetings/${model.id}/active-livestream` }
  simulator.failNext((looks[look] ?? []).map(one => ({ ...one, match: active })))
  const headers = { 'x-request-id': requestId, ...(key !== null && { 'idempotency-key': `${model.id}-${key}` }) }
  const reply = await model.call(path, headers)
  // What arrives late does its work in the end.
  const late = simulator.journal.slice(from).filter(entry => entry.target === path && entry.fault?.delayMs)
  await until(() => late.every(({ executed }) => executed !== undefined))
  const begun = model.starts(from).filter(({ executed }) => executed).length
  const { type, outcome } = reply.json().error ?? {}
  const replayed = reply.headers['idempotency-replayed'] === 'true'
  const what = [kind, reply.statusCode, type, outcome, replayed ? 'replayed' : ''].filter(Boolean).join(' ')
  seen.set(what, (seen.get(what) ?? 0) + 1)
  return { reply, requestId, begun, replayed, says: `${reply.statusCode} ${type ?? ''}`.trim(), outcome }
}
type Called = Awaited<ReturnType<typeof call>>

/** What is remembered under a key decides alone. True when it did. */
async function isRemembered(model: MeetingModel, kind: string, key: string | null, called: Called): Promise<boolean> {
  const { says, replayed, begun, reply, requestId } = called
  const earlier = model.remembered(key)
  if (key !== null && earlier === undefined) model.calls.set(key, requestId)
  if (earlier === undefined) return mustNot(replayed, 'a replay of nothing', called)
  must(begun === 0, 'a known key began a run', called, earlier)
  const now = (await model.read()).get(earlier.id) ?? earlier
  const stored = now.answer === null ? null : { success: !now.answer.startsWith('{"error"'), ...JSON.parse(now.answer) }
  if (earlier.kind !== kind)
    must(says === '422 idempotency_key_reused', 'another request under its key', called, earlier)
  // It may have been settled in the background while it was asked for.
  else if (!replayed)
    must(says === '409 idempotency_key_in_use' && earlier.answer === null, 'no replay', called, earlier)
  else {
    must(reply.statusCode === now.answer_status, 'another status', reply, now)
    must(isDeepStrictEqual(reply.json(), stored), 'another answer', reply.body, stored)
    const before = model.replays.get(now.id) ?? reply.body
    must(reply.body === before, 'not the same bytes', reply.body, before)
    model.replays.set(now.id, reply.body)
  }
  return true
}

function mustNot(holds: boolean, what: string, ...about: unknown[]): false {
  must(!holds, what, ...about)
  return false
}

/** What a 5xx says of the outcome is what the row says, and what the vendor did. */
async function checkFailure(model: MeetingModel, { reply, outcome, requestId, begun }: Called): Promise<void> {
  const row = [...(await model.read()).values()].find(({ request_id }) => request_id === requestId)
  must(['not_sent', 'failed', 'unknown'].includes(outcome), 'a 5xx without its outcome', reply.body)
  if (outcome !== 'unknown') must(begun === 0, `${outcome}, and a run has begun`, reply.body)
  if (outcome === 'unknown') must(row !== undefined, 'an unknown outcome that nobody will find out', reply.body)
  else must(row === undefined || row.state === 'failed', 'an operation that is not failed', reply.body, row)
}

export function start(key: string | null, fault: string, look: string): Command {
  return command(`start ${key} ${fault}, ${look}`, async model => {
    const called = await call(model, 'start', key, fault, look)
    const { reply, begun, says, requestId } = called
    if (await isRemembered(model, 'start', key, called)) return
    model.endsStopped = false
    model.executed.set(requestId, begun > 0)
    must(begun <= 1, 'sent twice', called)
    if (reply.statusCode >= 500) return checkFailure(model, called)
    if (reply.statusCode < 300) {
      const { id } = reply.json().data
      must(begun === (reply.statusCode === 201 ? 1 : 0), 'it is not said who began it', called)
      must(model.live().join() === id, 'another livestream', called, model.live())
      return
    }
    must(begun === 0, 'refused, and begun', called)
    if (says === '409 start_unsettled') must(model.openStart() !== undefined, 'nothing is unsettled', called)
    else must(says === '409 already_live' && fault === '409', 'a refusal without a reason', called)
  })
}

export function stop(key: string | null, fault: string, look: string): Command {
  return command(`stop ${key} ${fault}, ${look}`, async model => {
    await model.world.pass(1_000) // stops are spaced by so much, and this one shall not wait
    const called = await call(model, 'stop', key, fault, look)
    const { reply, says } = called
    if (await isRemembered(model, 'stop', key, called)) return
    if (called.outcome !== 'not_sent' && called.outcome !== 'failed') model.endsStopped = true
    if (reply.statusCode >= 500) return checkFailure(model, called)
    if (says === '409 start_unsettled') {
      must(model.openStart() !== undefined, 'nothing is unsettled', called)
      return
    }
    must(says === '200' || says === '404 no_active_livestream', 'a stop was refused', called)
    must(model.live().length === 0, 'called stopped, and live', called, model.live())
    must(model.openStart(await model.read()) === undefined, 'called stopped while something may begin', called)
  })
}

/** Several at once, on connections of their own: their order is not known, but what holds of all states is. */
export function together(kinds: ('start' | 'stop')[], fault: string): Command {
  return command(`together: ${kinds.join(', ')} ${fault}`, async model => {
    await model.world.pass(1_000)
    const called = await Promise.all(kinds.map(kind => call(model, kind, null, fault, 'can be asked')))
    model.endsStopped = false
    for (const one of called) if (one.reply.statusCode >= 500) must(one.outcome !== undefined, 'no outcome', one)
  })
}

export const browserStarts = command(
  'a browser starts',
  async model => {
    model.world.simulator.startFromBrowser(model.id)
    model.browserStarts++
    // A vendor may hide a run of which we know nothing until it is LIVE.
    await model.world.pass(3_000)
    model.endsStopped = false
  },
  model => model.live().length === 0
)

export const browserStops = command('a browser stops', async model => {
  for (const id of model.live()) model.world.simulator.end(id)
})

export const suspended = command('the tenant is suspended for a while', async model => {
  const { world } = model
  const tenant = async (suspended: boolean): Promise<void> => {
    await tenantsIn(world.store).update('acme', { suspended }, world.clock.now())
    await world.pull()
  }
  await tenant(true)
  const { says, begun } = await call(model, 'start', null, 'none', 'can be asked')
  must(says === '403 tenant_suspended' && begun === 0, 'a suspended tenant starts', says)
  await stop(null, 'none', 'can be asked').run(model, {})
  await tenant(false)
})

export const revoke = command('the key is revoked', async model => {
  await apiKeysIn(model.world.store).revoke(model.token.id, model.world.clock.now())
  await model.world.pull()
  for (const path of [model.startPath, model.stopPath]) {
    must((await model.call(path)).statusCode === 401, 'a revoked key still works')
  }
  model.token = await model.world.newKey()
  await model.world.pull()
})

export const advance = (ms: number): Command => command(`${ms} ms pass`, model => model.world.pass(ms))

export const restart = command('restart', model => model.world.restart())

/** A gateway that ends between its commit and the vendor's answer, which was asked or not. */
export const crash = (kind: 'start' | 'stop', arrived: boolean): Command =>
  command(
    `crash in a ${kind}, which arrived: ${arrived}`,
    async model => {
      const { world } = model
      const row = { meetingId: model.id, sentAtMs: world.clock.now(), requestId: randomUUID() }
      const { store, simulator, restart } = world
      await restart(async () => {
        await store.engine.write([operationsIn(store).sent(operationOf(kind, world.clock, row))])
        if (kind === 'stop' && arrived) for (const id of model.live()) simulator.end(id)
        if (kind !== 'start') return
        model.executed.set(row.requestId, arrived)
        if (arrived) simulator.startFromBrowser(model.id)
        if (arrived) model.crashes++
      })
      model.endsStopped = kind === 'stop'
    },
    // A start looks first, and waits for the one that is open.
    model => kind === 'stop' || (model.live().length === 0 && model.openStart() === undefined)
  )

const key = fc.constantFrom(null, null, 'first', 'second')
const fault = fc.oneof(
  { weight: 2, arbitrary: fc.constant('none') },
  { weight: 3, arbitrary: fc.constantFrom(...Object.keys(faults)) }
)
const look = fc.oneof(
  { weight: 4, arbitrary: fc.constant('can be asked') },
  { weight: 1, arbitrary: fc.constantFrom(...Object.keys(looks)) }
)
const starts = fc.tuple(key, fault, look).map(args => start(...args))
const stops = fc.tuple(key, fault, look).map(args => stop(...args))

/** Starts and stops come up most. */
export const commands: fc.Arbitrary<Command>[] = [
  ...[starts, starts, starts, starts, starts, stops, stops, stops],
  fc
    .tuple(fc.array(fc.constantFrom('start' as const, 'stop' as const), { minLength: 2, maxLength: 4 }), fault)
    .map(args => together(...args)),
  fc.constant(browserStarts),
  fc.constant(browserStops),
  fc.constant(suspended),
  fc.constant(revoke),
  fc.constantFrom(deadlineMs, 5_000, 20_000).map(advance),
  fc.oneof(
    fc.constant(restart),
    fc.tuple(fc.constantFrom('start' as const, 'stop' as const), fc.boolean()).map(args => crash(...args))
  )
]
