import { randomUUID } from 'node:crypto'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import fc, { type AsyncCommand } from '../runner/properties.ts'
import { call, checkFailure, faults, isRemembered, looks } from './operation-calls.ts'
import { deadlineMs, type MeetingModel, must } from './operation-model.ts'
import { sentOperation } from './reconciling.ts'

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
      model.history.push(name)
      await model.world.pass(1)
      await run(model)
      model.world.simulator.clearFaults()
      await model.check()
    },
    toString: () => name
  }
}

export function start(key: string | null, fault: string, look: string): Command {
  return command(`start ${key} ${fault}, ${look}`, async model => {
    const called = await call(model, 'start', key, fault, look)
    const { reply, begun, says, requestId } = called
    if (await isRemembered(model, 'start', key, called)) return
    // One that has begun nothing leaves a stop that is being repeated as it is.
    if (reply.statusCode < 300 || called.outcome === 'unknown') model.endsStopped = false
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
    else if (says === '409 still_stopping') must(model.wasStopped(), 'nothing was stopped lately', called)
    else must(says === '409 already_live' && fault === '409', 'a refusal without a reason', called)
  })
}

export function stop(key: string | null, fault: string, look: string): Command {
  return command(`stop ${key} ${fault}, ${look}`, async model => {
    await model.world.pass(5_000) // stops are spaced by so much at most, and this one shall not wait
    const called = await call(model, 'stop', key, fault, look)
    const { reply, says } = called
    if (await isRemembered(model, 'stop', key, called)) return
    if (called.outcome !== 'not_sent' && called.outcome !== 'failed') model.endsStopped = true
    if (reply.statusCode === 200) model.stoppedAtMs = model.world.clock.now()
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

/** One look that shows nothing is not enough: what was sent may come to something after it. */
export const arrivesAfterALook = command(
  'a start arrives after a look that showed nothing',
  async model => {
    const lost = await call(model, 'start', null, 'stalls', 'can be asked')
    await model.check()
    await model.world.pass(deadlineMs)
    await start(null, 'none', 'can be asked').run(model, {})
    if (lost.outcome !== 'unknown') return
    model.executed.set(lost.requestId, true)
    model.doLate('start')
    model.endsStopped = false
  },
  model => model.live().length === 0 && model.openStart() === undefined
)

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
    model.browserStartsMs.push(model.world.clock.now())
    // A vendor may hide a run of which we know nothing until it is LIVE.
    await model.world.pass(3_000)
    model.endsStopped = false
  },
  model => model.live().length === 0
)

export const browserStops = command('a browser stops', async model => model.endRuns())

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
      const { store, restart } = world
      await restart(async () => {
        await store.engine.write([operationsIn(store).sent(sentOperation(kind, world.clock, row))])
        if (kind === 'stop' && arrived) model.doLate('stop')
        if (kind !== 'start') return
        model.executed.set(row.requestId, arrived)
        if (arrived) model.doLate('start')
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
const atOnce = fc.constantFrom(...Object.keys(faults).filter(name => name !== 'late'))
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
    .tuple(fc.array(fc.constantFrom('start' as const, 'stop' as const), { minLength: 2, maxLength: 4 }), atOnce)
    .map(args => together(...args)),
  fc.constant(browserStarts),
  fc.constant(browserStops),
  fc.constant(arrivesAfterALook),
  fc.constant(suspended),
  fc.constant(revoke),
  fc.constantFrom(deadlineMs, 5_000, 20_000).map(advance),
  fc.oneof(
    fc.constant(restart),
    fc.tuple(fc.constantFrom('start' as const, 'stop' as const), fc.boolean()).map(args => crash(...args))
  )
]
