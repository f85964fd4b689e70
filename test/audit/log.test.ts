import t from 'tap'
import { AuditLog } from '../../src/audit/log.ts'
import type { AuditEvent } from '../../src/domain/audit/audit-event.ts'
import { eventOf, logInto } from '../support/audit/log-helper.ts'
import { stayAwake } from '../support/awake.ts'

t.test('events are written in the order in which they came, by themselves', async t => {
  stayAwake(t)
  const written = Promise.withResolvers<AuditEvent[]>()
  const log = new AuditLog({
    write: async events => written.resolve([...events]),
    onTrouble: () => t.fail('no trouble'),
    flushAfterMs: 1
  })
  t.teardown(() => log.close())
  const events = [eventOf(), eventOf(), eventOf()]
  for (const event of events) log.append(event)
  t.strictSame(await written.promise, events)
})

t.test('many events are written in groups, so that a long queue does not hold the store', async t => {
  const { log, groups } = logInto()
  const events = Array.from({ length: 1_234 }, () => eventOf())
  for (const event of events) log.append(event)
  await log.close()
  t.strictSame(
    groups.map(group => group.length),
    [500, 500, 234]
  )
  t.ok(groups.flat().every((event, i) => event === events[i]))
})

t.test('a flush waits for what is being written, and writes what came meanwhile', async t => {
  const held = Promise.withResolvers<void>()
  const groups: AuditEvent[][] = []
  const write = async (events: AuditEvent[]) => {
    if (groups.push([...events]) === 1) await held.promise
  }
  const log = new AuditLog({ write, onTrouble: () => t.fail('no trouble'), flushAfterMs: 60_000 })
  const [first, second] = [eventOf(), eventOf()]
  log.append(first)
  const flushes = [log.flush(), log.flush(), log.flush()]
  log.append(second)
  held.resolve()
  await Promise.all(flushes)
  t.strictSame(groups, [[first], [second]], 'each event once')
  await log.close()
})

t.test('after a failing write everything is tried again, in order, and nothing is lost or doubled', async t => {
  const { log, groups, state } = logInto({ flushAfterMs: 60_000 })
  const events = Array.from({ length: 5 }, () => eventOf())
  state.broken = true
  for (const event of events.slice(0, 3)) log.append(event)
  await t.rejects(log.flush(), { message: 'disk full' })
  await t.rejects(log.flush(), { message: 'disk full' })
  for (const event of events.slice(3)) log.append(event)
  state.broken = false
  await log.flush()
  t.strictSame(groups.flat(), events)
  await log.close()
})

t.test('the log tries again by itself, and says how many wait', async t => {
  stayAwake(t)
  const written = Promise.withResolvers<AuditEvent[]>()
  const troubled = Promise.withResolvers<number>()
  let tries = 0
  const log = new AuditLog({
    async write(events) {
      if (++tries === 1) throw new Error('disk full')
      written.resolve([...events])
    },
    onTrouble: (_error, waiting) => troubled.resolve(waiting),
    flushAfterMs: 1
  })
  t.teardown(() => log.close())
  const events = [eventOf(), eventOf()]
  for (const event of events) log.append(event)
  t.equal(await troubled.promise, 2)
  t.strictSame(await written.promise, events)
})

t.test('closing writes what waits and leaves no clock running', async t => {
  const { log, groups, troubles } = logInto({ flushAfterMs: 60_000 })
  const event = eventOf()
  log.append(event)
  await log.close()
  t.strictSame(groups, [[event]])
  t.strictSame(troubles, [])
  await log.close()
  t.equal(groups.length, 1)
})

t.test('closing without a store says how many events could not be written, counted ones too', async t => {
  const { log, troubles, state } = logInto({ flushAfterMs: 60_000, maxWaiting: 2 })
  state.broken = true
  for (let i = 0; i < 7; i++) log.append(eventOf())
  await log.close()
  t.strictSame(troubles, [7])
})

t.test('an event that comes after the end is told at once: nobody will write it', async t => {
  const { log, groups, troubles } = logInto()
  await log.close()
  log.append(eventOf())
  t.strictSame(troubles, [1])
  t.strictSame(groups, [])
})
