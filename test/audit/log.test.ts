import fc from 'fast-check'
import t from 'tap'
import { AuditLog, type AuditLogOptions } from '../../src/audit/log.ts'
import { toAuditEvent } from '../../src/audit/ocsf.ts'
import type { AuditEvent, AuditOutcome } from '../../src/domain/audit-event.ts'
import { until } from '../support/until.ts'

let made = 0
function eventOf({ tenantId = 'acme', outcome = 'done' as AuditOutcome, address = '127.0.0.1' } = {}): AuditEvent {
  const requestId = `r${made++}`
  const resources = [{ type: 'meeting' as const, uid: 'm1' }]
  const subject = { action: 'getLivestream', method: 'GET', tenantId, keyId: 'k1', address, requestId, resources }
  return toAuditEvent(subject, { outcome, status: 200 }, 1_000)
}

/** A log that writes into a list, and can be broken. */
function logInto(options: Partial<AuditLogOptions> = {}) {
  const groups: AuditEvent[][] = []
  const troubles: number[] = []
  const state = { broken: false }
  const log = new AuditLog({
    async write(events) {
      if (state.broken) throw new Error('disk full')
      groups.push([...events])
    },
    onTrouble: (_error, waiting) => troubles.push(waiting),
    flushAfterMs: 1,
    ...options
  })
  return { log, groups, troubles, state }
}

/** So many events stand behind these. */
const sumOf = (events: AuditEvent[]): number => events.reduce((sum, { unmapped }) => sum + (unmapped.count ?? 1), 0)

t.test('events are written in the order in which they came, by themselves', async t => {
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

t.test('beyond the bound equal events become one with a count', async t => {
  const { log, groups } = logInto({ flushAfterMs: 60_000, maxWaiting: 2 })
  for (let i = 0; i < 5; i++) log.append(eventOf())
  log.append(eventOf({ outcome: 'refused' }))
  log.append(eventOf({ tenantId: 'globex' }))
  log.append(eventOf({ address: '127.0.0.2' }))
  await log.close()
  const counts = groups.flat().map(({ unmapped, src_endpoint }) => ({
    tenant: unmapped.tenant_id,
    outcome: unmapped.outcome,
    ip: src_endpoint.ip,
    count: unmapped.count
  }))
  t.strictSame(counts, [
    { tenant: 'acme', outcome: 'done', ip: '127.0.0.1', count: undefined },
    { tenant: 'acme', outcome: 'done', ip: '127.0.0.1', count: undefined },
    { tenant: 'acme', outcome: 'done', ip: '127.0.0.1', count: 3 },
    { tenant: 'acme', outcome: 'refused', ip: '127.0.0.1', count: 1 },
    { tenant: 'globex', outcome: 'done', ip: '127.0.0.1', count: 1 },
    { tenant: 'acme', outcome: 'done', ip: '127.0.0.2', count: 1 }
  ])
})

t.test('a broad attack from many addresses is counted without them, in bounded memory', async t => {
  const { log, groups } = logInto({ flushAfterMs: 60_000, maxWaiting: 10 })
  for (let i = 0; i < 5_000; i++) log.append(eventOf({ outcome: 'refused', address: `10.0.${i >> 8}.${i & 255}` }))
  await log.close()
  const events = groups.flat()
  t.equal(sumOf(events), 5_000)
  t.equal(events.length, 10 + 500 + 1)
  t.match(events.at(-1), { src_endpoint: { ip: 'several' }, resources: [], unmapped: { count: 4_490 } })
})

t.test(
  'whatever comes, fails and is flushed in whatever order, the sum of all counts is what was appended',
  async t => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ append: fc.integer({ min: 1, max: 8 }), tenantId: fc.constantFrom('acme', 'globex') }),
        fc.record({ broken: fc.boolean() })
      ),
      { maxLength: 30 }
    )
    await fc.assert(
      fc.asyncProperty(steps, async steps => {
        const { log, groups, state } = logInto({ flushAfterMs: 60_000, maxWaiting: 5 })
        let appended = 0
        for (const step of steps) {
          if ('append' in step) {
            for (let i = 0; i < step.append; i++, appended++) log.append(eventOf({ tenantId: step.tenantId }))
          } else {
            state.broken = step.broken
            await log.flush().catch(() => {})
          }
        }
        state.broken = false
        await log.close()
        return sumOf(groups.flat()) === appended
      }),
      { numRuns: 100 }
    )
    t.pass('nothing was lost or doubled')
  }
)

t.test(
  'more than ten equal refusals in a second become one event with a count, so that nobody can fill the disk',
  async t => {
    const { log, groups } = logInto({ flushAfterMs: 60_000 })
    for (let i = 0; i < 1_000; i++) log.append(eventOf({ outcome: 'refused' }))
    for (let i = 0; i < 50; i++) log.append(eventOf())
    await log.close()
    const events = groups.flat()
    t.equal(events.length, 10 + 50 + 1)
    t.equal(sumOf(events), 1_050)
    t.match(events.at(-1), { unmapped: { outcome: 'refused', count: 990 } })
  }
)

t.test('counts are written by themselves, a second after the one before', async t => {
  const { log, groups } = logInto({ flushAfterMs: 1 })
  t.teardown(() => log.close())
  for (let i = 0; i < 30; i++) log.append(eventOf({ outcome: 'refused' }))
  await until(() => sumOf(groups.flat()) === 30)
  for (let i = 0; i < 30; i++) log.append(eventOf({ outcome: 'refused' }))
  const waitedFrom = performance.now()
  await until(() => sumOf(groups.flat()) === 60)
  t.ok(performance.now() - waitedFrom > 500)
})
