import t from 'tap'
import { Compile } from 'typebox/compile'
import { InvalidInput } from '../../src/domain/refusals/failures.ts'
import { isoTime, readTime, readTimeRange } from '../../src/domain/values/time-range.ts'
import fc from '../support/runner/properties.ts'

function refusalOf(read: () => unknown): unknown {
  try {
    read()
  } catch (error) {
    return error
  }
  return 'accepted'
}

t.test('a day alone begins at midnight in UTC; a time has its zone', async t => {
  t.equal(readTime('query.since', '2026-11-20'), Date.UTC(2026, 10, 20))
  t.equal(readTime('query.since', '2026-11-20T09:30Z'), Date.UTC(2026, 10, 20, 9, 30))
  t.equal(readTime('query.since', '2026-11-20T09:30:15.250+02:00'), Date.UTC(2026, 10, 20, 7, 30, 15, 250))
  t.equal(readTime('query.since', '2028-02-29T00:00:00Z'), Date.UTC(2028, 1, 29))
  t.equal(readTime('query.since', undefined), undefined)
})

t.test('every moment that is written as ISO 8601 is read as that moment', async t => {
  const moments = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
  fc.assert(fc.property(moments, moment => readTime('query.since', moment.toISOString()) === moment.getTime()))
  t.pass('every moment was read as itself')
})

t.test('a day that no calendar has is refused and names the field', async t => {
  for (const text of [
    '2026-02-29',
    '2026-02-30',
    '2026-04-31T00:00Z',
    '2026-13-01',
    '2026-00-10',
    '2026-01-00',
    '2026-01-32',
    '2026-02-31T10:00:00+02:00',
    '2026-01-01T25:00Z',
    '2026-01-01T00:60Z',
    '2026-01-01T00:00+99:99'
  ]) {
    t.match(
      refusalOf(() => readTime('query.start_time', text)),
      { status: 400, type: 'invalid_input', details: [{ field: 'query.start_time', message: 'is not a time' }] },
      text
    )
  }
})

t.test('a range has both ends, one of them or none', async t => {
  t.strictSame(readTimeRange({}), { createdFromMs: undefined, createdToMs: undefined })
  t.strictSame(readTimeRange({ start_time: '1970-01-02' }), { createdFromMs: 86_400_000, createdToMs: undefined })
  t.strictSame(readTimeRange({ end_time: '1970-01-02' }), { createdFromMs: undefined, createdToMs: 2 * 86_400_000 - 1 })
  const moment = { start_time: '1970-01-02', end_time: '1970-01-02T00:00:00Z' }
  t.strictSame(readTimeRange(moment), { createdFromMs: 86_400_000, createdToMs: 86_400_000 })
})

t.test('a range that ends before it begins is refused and names its end', async t => {
  const details = [{ field: 'query.end_time', message: 'must not be before start_time' }]
  const refusal = refusalOf(() => readTimeRange({ start_time: '2026-11-21', end_time: '2026-11-20' }))
  t.match(refusal, { status: 400, details })
  t.throws(() => readTimeRange({ start_time: '2026-02-30', end_time: '2026-11-20' }), InvalidInput)
})

t.test('the schema takes a date or a time with its zone, and nothing that could be read in two ways', async t => {
  const time = Compile(isoTime('when'))
  for (const text of ['2026-11-20', '2026-11-20T09:30Z', '2026-11-20T09:30:00.000Z', '2026-11-20T09:30:00+02:00']) {
    t.ok(time.Check(text), text)
  }
  for (const text of [
    '',
    'now',
    '2026',
    '2026-11',
    '20.11.2026',
    '2026-11-20T09:30',
    '2026-11-20 09:30Z',
    '1795345200'
  ]) {
    t.notOk(time.Check(text), text)
  }
})
