import t from 'tap'
import { formatTraceParent, parseTraceParent } from '../../src/tracing/traceparent.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const spanId = '00f067aa0ba902b7'
const whole = `00-${traceId}-${spanId}-01`

t.test('a field of the specification is read, and written in the version that is known here', async t => {
  t.strictSame(parseTraceParent(whole), { traceId, spanId, sampled: true })
  t.strictSame(parseTraceParent(`00-${traceId}-${spanId}-00`), { traceId, spanId, sampled: false })
  // Other flags say nothing of sampling, and a later version may say more.
  t.match(parseTraceParent(`00-${traceId}-${spanId}-02`), { sampled: false })
  t.match(parseTraceParent(`42-${traceId}-${spanId}-03-more-of-it`), { traceId, spanId, sampled: true })
  t.equal(formatTraceParent({ traceId, spanId, sampled: true }), whole)
  t.equal(formatTraceParent({ traceId, spanId, sampled: false }), `00-${traceId}-${spanId}-00`)
})

t.test('a field that the specification does not have is as none', async t => {
  const wrong = [
    undefined,
    null,
    '',
    'yes',
    [whole, whole],
    `${whole}, ${whole}`,
    ` ${whole}`,
    `${whole}-`,
    whole.toUpperCase(),
    whole.slice(0, -1),
    `ff-${traceId}-${spanId}-01`,
    `0-${traceId}-${spanId}-01`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId.slice(1)}-${spanId}-01`,
    `00-${traceId}-${spanId}-0g`,
    `42-${traceId}-${spanId}-01more`
  ]
  for (const field of wrong) t.equal(parseTraceParent(field), null, String(field))
})
