import t from 'tap'
import { nobody, simulate } from '../../support/simulator/helper.ts'

t.test('validation 422 is strict, and says at the top which part of the request is wrong', async t => {
  const { simulator, call } = await simulate(t)
  const { id } = simulator.addMeeting()
  const refusal = async (...args: Parameters<typeof call>) => {
    const { status, json } = await call(...args)
    return [status, json]
  }
  const says = (message: string) => [422, { success: false, message }]
  t.strictSame(
    await refusal('POST', `/meetings/${id}/livestreams`, { destinations: [] }),
    says('[body] "destinations" is not allowed')
  )
  t.strictSame(await refusal('POST', '/meetings', { colour: 'red' }), says('[body] "colour" is not allowed'))
  t.strictSame(await refusal('GET', '/meetings/x'), says('[params] "id" must be a valid GUID'))
  t.strictSame(await refusal('GET', '/meetings/x/active-livestream'), says('[params] "id" must be a valid GUID'))
  t.strictSame(await refusal('GET', '/livestreams/x'), says('[params] "id" must be a valid GUID'))
  t.strictSame(await refusal('GET', '/livestreams/sessions/x'), says('[params] "id" must be a valid GUID'))
  t.strictSame(await refusal('GET', '/sessions/x'), says('[params] "id" must be a valid GUID'))
  t.match(await refusal('GET', '/livestreams?page_no=0'), [422, { message: /^\[query\] "page_no" must be/ }])
  t.equal((await call('GET', `/livestreams/${nobody}`)).status, 404)
  t.strictSame(simulator.livestreams(), [])
})

t.test('validation 400 ignores what it does not know, and has no UUIDs but those of meetings', async t => {
  const { simulator, call } = await simulate(t, { validation: '400' })
  const { id } = simulator.addMeeting()
  t.equal((await call('POST', `/meetings/${id}/livestreams`, { destinations: [] })).status, 201)
  const refused = (message: string) => ({
    status: 400,
    json: { success: false, error: { code: 400, message: `BAD_REQUEST: ${message}` } }
  })
  t.match(await call('GET', '/meetings/x'), refused('"id" must be a valid GUID'))
  t.match(await call('POST', '/meetings', { title: 7 }), refused('"title" must be a string or null'))
  t.match(
    await call('GET', '/livestreams?per_page=0'),
    refused('"per_page" must be a number larger than or equal to 1')
  )
  t.equal((await call('GET', '/livestreams/x')).status, 404)
})

t.test('livestreamName any takes a name with a blank, pattern does not', async t => {
  const usual = await simulate(t)
  t.equal((await usual.call('POST', '/livestreams', { name: 'Friday show' })).status, 422)
  const { call } = await simulate(t, { livestreamName: 'any' })
  t.equal((await call('POST', '/livestreams', { name: 'Friday show' })).status, 201)
  t.equal((await call('POST', '/livestreams', { name: 7 })).status, 422)
})

t.test('a page holds a hundred at most, whatever is asked for', async t => {
  const { simulator, call } = await simulate(t)
  for (let i = 0; i < 101; i++) simulator.addLivestream()
  for (const [asked, given] of [
    ['99', 99],
    ['100', 100],
    ['1000', 100]
  ] as const) {
    const { data, paging } = (await call('GET', `/livestreams?per_page=${asked}`)).json
    t.strictSame([data.length, paging.end_offset, paging.total_count], [given, given, 101], asked)
  }
})

t.test('every answer carries the time of the vendor, which need not be ours', async t => {
  const { call, clock, simulator } = await simulate(t, { clockOffsetMs: -90_000 })
  const { id } = simulator.addMeeting()
  t.equal((await call('GET', `/meetings/${id}`)).headers.date, 'Mon, 05 Jan 2026 09:58:30 GMT')
  t.equal((await call('GET', '/nowhere')).headers.date, 'Mon, 05 Jan 2026 09:58:30 GMT')
  clock.pass(60_000)
  await call('POST', `/meetings/${id}/livestreams`)
  t.match(simulator.livestreams(), [{ sessions: [{ invoked_time: '2026-01-05T09:59:30.000Z' }] }])
  simulator.failNext({ status: 503, headers: { date: 'Thu, 01 Jan 1970 00:00:00 GMT' } })
  t.equal((await call('GET', `/meetings/${id}`)).headers.date, 'Thu, 01 Jan 1970 00:00:00 GMT')
})
