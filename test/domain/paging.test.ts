import t from 'tap'
import { pagingOf } from '../../src/domain/values/paging.ts'
import fc from '../support/runner/properties.ts'

t.test('offsets count from 1', async t => {
  const perPage = 25
  t.strictSame(pagingOf({ pageNo: 1, perPage }, 25, 60), { total_count: 60, start_offset: 1, end_offset: 25 })
  t.strictSame(pagingOf({ pageNo: 3, perPage }, 10, 60), { total_count: 60, start_offset: 51, end_offset: 60 })
})

t.test('an empty page has offsets 0, also behind the last one', async t => {
  t.strictSame(pagingOf({ pageNo: 1, perPage: 25 }, 0, 0), { total_count: 0, start_offset: 0, end_offset: 0 })
  t.strictSame(pagingOf({ pageNo: 9, perPage: 25 }, 0, 60), { total_count: 60, start_offset: 0, end_offset: 0 })
})

t.test('the pages of a list follow one another without gap or overlap', async t => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 0, max: 1_000 }), (perPage, total) => {
      let seen = 0
      for (let pageNo = 1; seen < total; pageNo++) {
        const shown = Math.min(perPage, total - seen)
        const { start_offset, end_offset, total_count } = pagingOf({ pageNo, perPage }, shown, total)
        if (start_offset !== seen + 1 || end_offset !== seen + shown || total_count !== total) return false
        seen = end_offset
      }
      return seen === total
    })
  )
  t.pass('every list was covered once')
})
