import t from 'tap'
import { eventOf, logInto, sumOf } from '../support/audit/log-helper.ts'
import fc from '../support/runner/properties.ts'
import { until } from '../support/until.ts'

t.test('beyond the bound equal events become one with a count', async t => {
  const { log, groups } = logInto({ flushAfterMs: 60_000, maxWaiting: 2 })
  for (let i = 0; i < 5; i++) log.append(eventOf())
  log.append(eventOf({ outcome: 'refused' }))
  log.append(eventOf({ tenantId: 'globex' }))
  log.append(eventOf({ address: '127.0.0.2' }))
  await log.close()
  const counts = groups.flat().map(({ unmapped, src_endpoint, count }) => ({
    tenant: unmapped.tenant_id,
    outcome: unmapped.outcome,
    ip: src_endpoint.ip,
    count
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

t.test('a count says when the first and the last of them came', async t => {
  const { log, groups } = logInto({ flushAfterMs: 60_000, maxWaiting: 1 })
  for (const timeMs of [1_000, 1_100, 1_200, 1_900]) log.append(eventOf({ timeMs }))
  await log.close()
  t.match(groups.flat()[1], { count: 3, start_time: 1_100, end_time: 1_900 })
})

t.test('also when the clock was set back between them', async t => {
  const { log, groups } = logInto({ flushAfterMs: 60_000, maxWaiting: 1 })
  for (const timeMs of [5_000, 5_100, 1_200, 1_300]) log.append(eventOf({ timeMs }))
  await log.close()
  t.match(groups.flat()[1], { count: 3, start_time: 1_200, end_time: 5_100 })
})

t.test('counts that are counted again keep their sum and their first moment', async t => {
  const { log, groups } = logInto({ flushAfterMs: 60_000, maxWaiting: 0 })
  log.append({ ...eventOf({ timeMs: 5_000 }), count: 7, start_time: 2_000, end_time: 5_000 })
  log.append({ ...eventOf({ timeMs: 9_000 }), count: 2, start_time: 6_000, end_time: 9_000 })
  await log.close()
  t.match(groups.flat(), [{ count: 9, start_time: 2_000, end_time: 9_000 }])
  t.equal(groups.flat().length, 1)
})

t.test('a broad attack from many addresses is counted without them, in bounded memory', async t => {
  const { log, groups } = logInto({ flushAfterMs: 60_000, maxWaiting: 10 })
  for (let i = 0; i < 5_000; i++) log.append(eventOf({ outcome: 'refused', address: `10.0.${i >> 8}.${i & 255}` }))
  await log.close()
  const events = groups.flat()
  t.equal(sumOf(events), 5_000)
  t.equal(events.length, 10 + 500 + 1)
  t.match(events.at(-1), { resources: [], count: 4_490 })
  t.strictSame(events.at(-1)?.src_endpoint, { name: 'several' })
})

t.test('the counts add up to what was appended, whatever comes, fails and is flushed in whatever order', async t => {
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
})

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
    t.match(events.at(-1), { unmapped: { outcome: 'refused' }, count: 990 })
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
