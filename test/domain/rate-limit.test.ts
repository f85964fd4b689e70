import fc from 'fast-check'
import t from 'tap'
import { formatRateLimit, parseRateLimit } from '../../src/domain/rate-limit.ts'

t.test('a limit is written calls/seconds and reads back as it was written', async t => {
  t.strictSame(parseRateLimit('600/60'), { calls: 600, seconds: 60 })
  t.equal(formatRateLimit({ calls: 600, seconds: 60 }), '600/60')
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.integer({ min: 1, max: 86_400 }), (calls, seconds) => {
      const text = formatRateLimit({ calls, seconds })
      const limit = parseRateLimit(text)
      return limit?.calls === calls && limit.seconds === seconds && formatRateLimit(limit) === text
    })
  )
})

t.test('the largest limits are a million calls and a day', async t => {
  t.strictSame(parseRateLimit('1000000/86400'), { calls: 1_000_000, seconds: 86_400 })
  t.equal(parseRateLimit('1000001/60'), null)
  t.equal(parseRateLimit('600/86401'), null)
})

t.test('what is not a limit is refused and not guessed at', async t => {
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
    '600/1m',
    '٦٠٠/60',
    '99999999/60',
    '600/999999'
  ]) {
    t.equal(parseRateLimit(text), null, JSON.stringify(text))
  }
})

t.test('any text gives a limit that formats to the same text, or nothing', async t => {
  const texts = fc.oneof(fc.string(), fc.stringMatching(/^\d{1,8}\/\d{1,6}$/))
  fc.assert(
    fc.property(texts, text => {
      const limit = parseRateLimit(text)
      return limit === null || formatRateLimit(limit) === text
    })
  )
  t.pass('no text was read as something else')
})
