import t from 'tap'
import { RetryBudget } from '../../../src/upstream/quota/restraint.ts'
import { manualClock } from '../../support/clock.ts'
import fc from '../../support/runner/properties.ts'

t.test('a tenth of the reads of the last ten seconds may be repeated, and of nine none', async t => {
  const clock = manualClock()
  const retries = new RetryBudget(clock)
  for (let i = 0; i < 9; i++) retries.countRead()
  t.equal(retries.takeRetry(), false)
  retries.countRead()
  t.equal(retries.takeRetry(), true)
  t.equal(retries.takeRetry(), false)
  clock.advance(10_000)
  for (let i = 0; i < 10; i++) retries.countRead()
  t.equal(retries.takeRetry(), true, 'those of before do not count any more, neither reads nor repeated ones')
  t.equal(retries.takeRetry(), false)
})

t.test('however reads come and fail, no more than a tenth of those of ten seconds is repeated', async t => {
  const step = fc.record({ gapMs: fc.integer({ min: 0, max: 3_000 }), reads: fc.integer({ min: 0, max: 50 }) })
  const property = fc.property(fc.array(step, { minLength: 1, maxLength: 100 }), steps => {
    const clock = manualClock()
    const retries = new RetryBudget(clock)
    const reads: number[] = []
    const repeated: number[] = []
    const recent = (times: number[]): number => times.filter(atMs => atMs > clock.monotonic() - 10_000).length
    return steps.every(({ gapMs, reads: count }) => {
      clock.advance(gapMs)
      for (let i = 0; i < count; i++) {
        retries.countRead()
        reads.push(clock.monotonic())
        if (retries.takeRetry()) repeated.push(clock.monotonic())
        // A window begins with a whole second: up to one more of repeated reads is known to it than of reads.
        if (recent(repeated) > Math.ceil(reads.filter(atMs => atMs > clock.monotonic() - 11_000).length * 0.1))
          return false
      }
      return true
    })
  })
  fc.assert(property)
  t.pass('100 random loads')
})
