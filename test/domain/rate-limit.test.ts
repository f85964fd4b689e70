import t from 'tap'
import { formatRateLimit, parseRateLimit, refillSeconds } from '../../src/domain/values/rate-limit.ts'
import fc from '../support/runner/properties.ts'

t.test('a limit is written calls/seconds or calls/seconds,burst and reads back as it was written', async t => {
  t.strictSame(parseRateLimit('600/60'), { calls: 600, seconds: 60, burst: 600 })
  t.strictSame(parseRateLimit('600/60,100'), { calls: 600, seconds: 60, burst: 100 })
  t.strictSame(parseRateLimit('1/1,10'), { calls: 1, seconds: 1, burst: 10 }, 'a burst may be above the calls')
  t.equal(formatRateLimit({ calls: 600, seconds: 60, burst: 600 }), '600/60')
  t.equal(formatRateLimit({ calls: 600, seconds: 60, burst: 100 }), '600/60,100')
  const million = fc.integer({ min: 1, max: 1_000_000 })
  fc.assert(
    fc.property(million, fc.integer({ min: 1, max: 86_400 }), million, (calls, seconds, burst) => {
      const limit = { calls, seconds, burst }
      const read = parseRateLimit(formatRateLimit(limit))
      if (refillSeconds(limit) > 86_400) return read === null
      return read?.calls === calls && read.seconds === seconds && read.burst === burst
    })
  )
})

t.test('a burst that is not named is as large as the calls, and said so it is the same limit', async t => {
  t.strictSame(parseRateLimit('60/60,60'), parseRateLimit('60/60'))
  t.equal(formatRateLimit({ calls: 60, seconds: 60, burst: 60 }), '60/60')
})

t.test('a spent burst refills at the pace of the calls', async t => {
  t.equal(refillSeconds({ calls: 600, seconds: 60, burst: 600 }), 60)
  t.equal(refillSeconds({ calls: 600, seconds: 60, burst: 100 }), 10)
  t.equal(refillSeconds({ calls: 1, seconds: 60, burst: 3 }), 180)
  t.equal(refillSeconds({ calls: 4, seconds: 1, burst: 1 }), 0.25)
})

t.test('the largest limits are a million calls, a million at once, and a day until that much is back', async t => {
  t.strictSame(parseRateLimit('1000000/86400'), { calls: 1_000_000, seconds: 86_400, burst: 1_000_000 })
  t.strictSame(parseRateLimit('1000000/1,1000000'), { calls: 1_000_000, seconds: 1, burst: 1_000_000 })
  t.strictSame(parseRateLimit('1/1,86400'), { calls: 1, seconds: 1, burst: 86_400 })
  t.equal(parseRateLimit('1/1,86401'), null)
  t.equal(parseRateLimit('1/86400,2'), null)
  t.equal(parseRateLimit('1000000/1,1000001'), null)
  t.equal(parseRateLimit('1000001/60'), null)
  t.equal(parseRateLimit('600/86401'), null)
})

t.test('a text that is not a limit is refused and not guessed at', async t => {
  for (const text of [
    '',
    '600',
    '/',
    '600/',
    '/60',
    '0/60',
    '600/0',
    '-1/60',
    '1.5/60',
    '1e3/60',
    ' 600/60',
    '600/60 ',
    '600 / 60',
    '600/60\n',
    '0600/60',
    '600/060',
    '600/60/1',
    '600/60,',
    '600/60,0',
    '600/60,-1',
    '600/60, 100',
    '600/60,0100',
    '600/60,1e2',
    '600/60,1,1',
    ',100',
    '600,100',
    '600/1m',
    '٦٠٠/60',
    '99999999/60',
    '600/999999'
  ]) {
    t.equal(parseRateLimit(text), null, JSON.stringify(text))
  }
})

t.test('any text gives a limit that formats to the same text, or nothing', async t => {
  const texts = fc.oneof(fc.string(), fc.stringMatching(/^\d{1,8}\/\d{1,6}(,\d{1,8})?$/))
  fc.assert(
    fc.property(texts, text => {
      const limit = parseRateLimit(text)
      return limit === null || formatRateLimit(limit) === text.replace(new RegExp(`,${limit.calls}$`), '')
    })
  )
  t.pass('no text was read as something else')
})
