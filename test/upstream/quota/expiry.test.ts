import t from 'tap'
import { Expiry } from '../../../src/upstream/quota/quota-use.ts'

t.test('each is given out once, in the order of their ends, and what is left stays in its place', async t => {
  const expiry = new Expiry<{ untilMs: number }>()
  const given: number[] = []
  // More than it keeps of what was given out.
  for (let i = 0; i < 3_000; i += 1) expiry.add({ untilMs: i })
  for (let timeMs = 0; timeMs <= 2_500; timeMs += 250) given.push(...expiry.until(timeMs).map(({ untilMs }) => untilMs))
  t.strictSame(given, [...Array(2_500).keys()])
  t.equal(expiry.at(0)?.untilMs, 2_500)
  t.equal(expiry.items().length, 500)
  t.strictSame(expiry.until(2_500), [], 'what ends at that moment has not ended before it')
})
