import t from 'tap'
import { type Moment, momentOf, withMoment } from '../../src/domain/values/clock.ts'

t.test(
  'a moment is found by its name, keeps its last time, and all others are forgotten when there are too many',
  t => {
    let moments: Moment | null = null
    t.equal(momentOf(moments, 'a'), Number.NEGATIVE_INFINITY)
    moments = withMoment(moments, 'a', 1, 2)
    moments = withMoment(moments, 'b', 2, 2)
    moments = withMoment(moments, 'a', 3, 2)
    t.strictSame([momentOf(moments, 'a'), momentOf(moments, 'b')], [3, 2])
    moments = withMoment(moments, 'c', 4, 2)
    t.strictSame([momentOf(moments, 'a'), momentOf(moments, 'c')], [Number.NEGATIVE_INFINITY, 4])
    t.end()
  }
)
