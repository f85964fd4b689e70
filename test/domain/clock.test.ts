import t from 'tap'
import { systemClock } from '../../src/domain/values/clock.ts'

t.test('the clock of production gives the time of day, and a second one that never runs backwards', async t => {
  const before = Date.now()
  const now = systemClock.now()
  t.ok(now >= before && now <= Date.now())
  const ticks = Array.from({ length: 1_000 }, () => systemClock.monotonic())
  t.strictSame(
    ticks,
    ticks.toSorted((a, b) => a - b)
  )
})
