import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { currentTrace, inSpan, inTrace, outOfTraces, traceFields } from '../../src/tracing/trace.ts'
import { passedOn, passingOn } from '../../src/tracing/tracing.ts'

const parent = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', sampled: true }
const field = `00-${parent.traceId}-${parent.spanId}-01`

t.test('work is in its trace, whatever it waits for, and a part of it needs no recorder', async t => {
  const trace = passedOn(parent)
  t.equal(currentTrace(), null)
  await inTrace(trace, async () => {
    await sleep(1)
    t.strictSame(traceFields(), { traceparent: field })
    t.equal(await inSpan('a part', {}, async span => span), null)
    outOfTraces(() => t.strictSame(traceFields(), {}))
  })
  t.strictSame(traceFields(), {})
})

t.test('a call that is over has left nothing in its trace, though it goes on in the background', async t => {
  const trace = passedOn(parent)
  const seen = await inTrace(trace, async () => {
    const background = sleep(5).then(traceFields)
    trace.life.open -= 1
    return background
  })
  t.strictSame(seen, {})
})

t.test('work behind a call that nobody records is in the trace that was kept, or in none', async t => {
  const work = async () => traceFields()
  t.strictSame(await passingOn.behind(field, 'reconciliation', {}, work), { traceparent: field })
  t.strictSame(await passingOn.behind(null, 'reconciliation', {}, work), {})
  const other = passedOn({ ...parent, spanId: '1'.repeat(16) })
  const inOther = () => passingOn.behind(field, 'reconciliation', {}, work)
  t.strictSame(
    await inTrace(other, inOther),
    { traceparent: other.parent },
    'a call that does it itself is what does it'
  )
  await passingOn.close()
})
