import { parseList } from 'structured-headers'
import t from 'tap'
import { nobody, type Reply, simulate } from '../../support/simulator/helper.ts'

/** Reads the two fields with somebody else's parser. */
function limit({ headers }: Reply): Record<string, unknown> {
  const fields = [headers.ratelimit, headers['ratelimit-policy']].map(field => parseList(String(field)))
  t.ok(fields.every(([only, another]) => only?.[0] === 'default' && another === undefined))
  return Object.fromEntries(fields.flatMap(([only]) => [...(only?.[1] ?? [])]))
}

t.test('every answer says what is left of the quota, and until when', async t => {
  const { call, clock } = await simulate(t, { vendor: 'realtimekit', quota: '4/10' })
  t.strictSame(limit(await call('GET', '/meetings')), { r: 3, t: 10, q: 4, w: 10 })
  clock.pass(2_500)
  t.strictSame(limit(await call('GET', `/meetings/${nobody}`)), { r: 2, t: 8, q: 4, w: 10 }, 'also a 404')
  const stranger = await call('GET', '/meetings', undefined, { authorization: 'Bearer wrong' })
  t.strictSame(limit(stranger), { r: 1, t: 8, q: 4, w: 10 }, 'also a refusal of the edge')
  const tooLarge = await call('POST', '/meetings', 'x'.repeat(1_048_577))
  t.equal(tooLarge.status, 413)
  t.strictSame(limit(tooLarge), { r: 0, t: 8, q: 4, w: 10 })
  clock.pass(7_500)
  const later = await call('GET', '/meetings')
  t.strictSame(limit(later), { r: 0, t: 3, q: 4, w: 10 }, 'the first call has left the window')
  t.notOk('retry-after' in later.headers)
})

t.test('a call too many gets the error of the edge, and all that follow during the lock-out', async t => {
  const { simulator, call, clock } = await simulate(t, { vendor: 'realtimekit', quota: '1/1,5' })
  await call('GET', '/meetings')
  const refusal = await call('POST', '/meetings')
  t.equal(refusal.status, 429)
  t.match(refusal.json, { success: false, errors: [{ code: 971, message: String }], messages: [], result: null })
  t.equal(refusal.headers['retry-after'], '5')
  t.notOk('x-envoy-ratelimited' in refusal.headers)
  t.strictSame(limit(refusal), { r: 0, t: 5, q: 1, w: 1 })
  clock.pass(2_700)
  const locked = await call('GET', '/meetings')
  t.match(locked, { status: 429, headers: { 'retry-after': '3' } }, 'rounded up')
  t.strictSame(limit(locked), { r: 0, t: 3, q: 1, w: 1 })
  clock.pass(2_300)
  t.equal((await call('GET', '/meetings')).status, 200)
  t.equal(simulator.journal.filter(({ executed }) => executed).length, 2)
})

t.test('without a quota, and at Dyte, no answer speaks of one', async t => {
  for (const options of [{ vendor: 'realtimekit' }, { quota: '5/10' }] as const) {
    const { headers, status } = await (await simulate(t, options)).call('GET', '/meetings')
    t.equal(status, 200)
    t.notOk('ratelimit' in headers || 'ratelimit-policy' in headers)
  }
})
