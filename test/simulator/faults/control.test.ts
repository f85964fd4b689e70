import t from 'tap'
import { nobody, send, simulate } from '../../support/simulator/helper.ts'

t.test('faults are queued, repeated and forgotten from outside', async t => {
  const { simulator, call } = await simulate(t)
  const queued = await send(simulator, 'POST', '/_simulator/faults', { status: 503, times: 2 })
  t.match(queued, { status: 201, json: { success: true, data: { queued: 2 } } })
  await send(simulator, 'POST', '/_simulator/faults', { match: { path: '/meetings' }, status: 500 })
  t.match(await call('GET', '/meetings'), { status: 503 })
  t.match(await call('GET', '/meetings'), { status: 503 })
  t.match(await call('GET', '/meetings'), { status: 500 })
  simulator.fail({ status: 418 })
  t.match(await send(simulator, 'DELETE', '/_simulator/faults'), { status: 200, json: { success: true } })
  t.match(await call('GET', '/meetings'), { status: 200 })
})

t.test('bad input is a 400 that names the field', async t => {
  const { simulator } = await simulate(t)
  const faults = [
    [{ hangup: true }, '"hangup" is not known'],
    [{ status: 'x' }, '"status" must be a whole number'],
    [{ times: 0, status: 500 }, '"times" must be a whole number'],
    ['[]', 'must be an object'],
    ['{', 'JSON']
  ] as const
  for (const [body, message] of faults) {
    const { status, json } = await send(simulator, 'POST', '/_simulator/faults', body)
    t.equal(status, 400)
    t.match(json, { success: false, error: { code: 400, message } })
  }
  const meetings = [
    [{ id: 'x' }, '"id" must be a UUID'],
    [{ titel: 'x' }, '"titel" is not known']
  ] as const
  for (const [body, message] of meetings) {
    t.match(await send(simulator, 'POST', '/_simulator/meetings', body), { status: 400, json: { error: { message } } })
  }
})

t.test('people come and go, and a browser starts, without a call through the gateway', async t => {
  const { simulator } = await simulate(t)
  const { id: meeting_id } = simulator.addMeeting()
  const control = (what: string, body: object) => send(simulator, 'POST', `/_simulator/meetings/${what}`, body)
  t.match(await control('join', { meeting_id }), { status: 201, json: { data: { livestream: null } } })
  t.match(await control('start', { meeting_id, manual_ingest: true }), { status: 201, json: { data: { meeting_id } } })
  t.match(simulator.livestreams(), [{ meeting_id, status: /INVOKED|LIVE/ }])
  t.match(await control('end', { meeting_id }), { status: 200 })
  t.match(await control('end', { meeting_id }), { status: 400 }, 'nobody is there any more')
  t.match(simulator.livestreams(), [{ status: /INVOKED|LIVE/ }], 'its livestream goes on')
  for (const body of [{}, { meeting_id: 7 }, { meeting_id: 'x' }])
    t.match(await control('start', body), { status: 400 })
})

t.test('the journal shows everything but credentials', async t => {
  const { simulator, call } = await simulate(t)
  await call('GET', '/meetings')
  await call('GET', '/livestreams')
  await send(simulator, 'GET', '/v2/meetings', undefined, { authorization: simulator.key })
  await send(simulator, 'GET', '/v2/meetings')
  const { status, text, json } = await send(simulator, 'GET', '/_simulator/journal')
  t.equal(status, 200)
  const authorizations = json.data.map(({ headers }: { headers: { authorization?: string } }) => headers.authorization)
  t.match(authorizations[0], /^Basic sha256:[0-9a-f]{64}$/)
  t.equal(authorizations[0], authorizations[1], 'the same credentials look the same')
  t.match(authorizations[2], /^sha256:[0-9a-f]{64}$/)
  t.equal(authorizations[3], undefined)
  t.notOk(text.includes(simulator.key))
  t.notOk(text.includes(simulator.journal[0]?.headers.authorization?.slice(6) ?? ''))
  t.match(json.data[0], { method: 'GET', target: '/v2/meetings', status: 200, executed: true })
})

t.test('meetings are added, livestreams shown, and health is told', async t => {
  const { simulator, call } = await simulate(t)
  const added = await send(simulator, 'POST', '/_simulator/meetings', { id: nobody, title: 'From outside' })
  t.match(added, { status: 201, json: { success: true, data: { id: nobody } } })
  t.match((await send(simulator, 'POST', '/_simulator/meetings')).json.data, { id: String })
  await call('POST', `/meetings/${nobody}/livestreams`)
  const { json } = await send(simulator, 'GET', '/_simulator/livestreams')
  t.strictSame(json, { success: true, data: simulator.livestreams() })
  t.match(json.data, [{ meeting_id: nobody, status: 'INVOKED', starts: 1 }])
  t.match((await send(simulator, 'GET', '/_simulator/health')).json, { success: true, data: { status: 'ok' } })
})

t.test('control calls are neither faulted nor in the journal, and unknown ones are a 404', async t => {
  const { simulator } = await simulate(t)
  simulator.fail({ hangUp: true })
  t.match(await send(simulator, 'GET', '/_simulator/health'), { status: 200 })
  for (const [method, target] of [
    ['GET', '/_simulator/'],
    ['GET', '/_simulator/faults'],
    ['POST', '/_simulator/health'],
    ['GET', '/_simulator/../v2/livestreams']
  ] as const) {
    t.match(await send(simulator, method, target), { status: 404, json: { error: { code: 404 } } })
  }
  t.strictSame(simulator.journal, [])
})
