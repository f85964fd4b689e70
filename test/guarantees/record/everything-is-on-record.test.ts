import t from 'tap'
import { Check } from 'typebox/value'
import { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { timed } from '../../support/campaigns/live-world.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway } from '../../support/gateway.ts'
import { latestMs } from '../../support/grace.ts'
import { until } from '../../support/until.ts'

t.test(
  "a mutation's intent is committed before the vendor hears of it, its outcome before the caller does",
  async t => {
    const { asAcme, meeting, store, door } = await gatewayBehindDoor(t)
    const rows = () =>
      store.engine.read(store.sql.selectFrom('audit_events').select(['action', 'outcome']).orderBy('seq').compile())
    const operations = () => store.engine.read(store.sql.selectFrom('operations').select('state').compile())

    door.hold('POST')
    const starting = asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    await until(() => door.held().length === 1)
    t.strictSame(await rows(), [{ action: 'startLivestream', outcome: 'pending' }])
    t.strictSame(await operations(), [{ state: 'sent' }])

    door.release()
    t.equal((await starting).statusCode, 201)
    t.strictSame(await rows(), [
      { action: 'startLivestream', outcome: 'pending' },
      { action: 'startLivestream', outcome: 'done' }
    ])
    t.strictSame(await operations(), [{ state: 'done' }])
  }
)

t.test('reads and refusals have one event each, mutations two, and all of a call carry its request id', async t => {
  const { as, asAcme, meeting, otherMeeting, withKey, events } = await gateway(t, {
    config: { readLimit: { calls: 3, seconds: 60, burst: 3 } }
  })
  const viewer = (await withKey('globex', ['livestreams:read'])).call
  const active = `/v2/meetings/${meeting}/active-livestream`
  const calls: [string, Promise<{ statusCode: number }>, number][] = [
    ['unknown-key', as(null)('GET', active, undefined, { 'x-request-id': 'unknown-key' }), 401],
    [
      'no-scope',
      viewer('POST', `/v2/meetings/${otherMeeting}/livestreams`, undefined, { 'x-request-id': 'no-scope' }),
      403
    ],
    ['not-mine', viewer('GET', active, undefined, { 'x-request-id': 'not-mine' }), 404],
    ['no-route', viewer('GET', '/v2/nothing', undefined, { 'x-request-id': 'no-route' }), 404],
    ['bad-body', asAcme('POST', '/v2/meetings', { titel: 'x' }, { 'x-request-id': 'bad-body' }), 400]
  ]
  for (const [name, call, status] of calls) t.equal((await call).statusCode, status, name)
  const name = (id: string) => ({ 'x-request-id': id })
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`, undefined, name('start'))).statusCode, 201)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`, undefined, name('again'))).statusCode, 200)
  for (let i = 0; i < 3; i++) await asAcme('GET', active, undefined, name(`read-${i}`))
  t.equal((await asAcme('GET', active, undefined, name('too-many'))).statusCode, 429)

  const written = await events()
  const of = (id: string) => written.filter(event => event.metadata.correlation_uid === id).map(summary)
  t.strictSame(of('unknown-key'), ['nobody getActiveLivestream refused 401 unauthorized'])
  t.strictSame(of('no-scope'), ['globex startLivestream refused 403 scope_missing'])
  t.strictSame(of('not-mine'), ['globex getActiveLivestream refused 404 meeting_not_found'])
  t.strictSame(of('no-route'), ['globex unknown refused 404 not_found'])
  t.strictSame(of('bad-body'), ['acme createMeeting refused 400 invalid_input'])
  t.strictSame(of('start'), ['acme startLivestream pending - -', 'acme startLivestream done 201 -'])
  t.strictSame(of('again'), ['acme startLivestream done 200 -'])
  t.strictSame(of('read-1'), ['acme getActiveLivestream done 200 -'])
  t.strictSame(of('too-many'), ['acme getActiveLivestream refused 429 rate_limited'])
  t.ok(
    written.every(event => Check(AuditEvent, event)),
    'every event fits its schema'
  )
})

t.test('a poll that hears that nothing is live was answered; who is refused was not', async t => {
  const { asAcme, asGlobex, meeting, events } = await gateway(t)
  const active = `/v2/meetings/${meeting}/active-livestream`
  for (const [call, method, path] of [
    [asAcme, 'GET', active],
    [asGlobex, 'GET', active],
    [asAcme, 'POST', `${active}/stop`]
  ] as const) {
    t.equal((await call(method, path)).statusCode, 404)
  }
  const seen = (await events()).filter(({ unmapped }) => unmapped.outcome !== 'pending')
  t.strictSame(
    seen.map(event => `${summary(event)} ${event.action}`).sort(),
    [
      'acme getActiveLivestream done 404 no_active_livestream Allowed',
      'acme stopLivestream refused 404 no_active_livestream Denied',
      'globex getActiveLivestream refused 404 meeting_not_found Denied'
    ],
    'a question that was answered, a stop of nothing, and a stranger'
  )
})

t.test('the log says when a stream key was shown, and never what it was', async t => {
  const { asAcme, meeting, events, simulator, withKey } = await gateway(t)
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  const { call } = await withKey('acme', ['livestreams:read'])
  await call('GET', `/v2/meetings/${meeting}/active-livestream`)
  const written = await events()
  t.strictSame(
    written.map(event => event.unmapped.stream_key_revealed === true),
    [false, true, true, false]
  )
  t.notMatch(JSON.stringify(written), simulator.livestreams()[0]?.stream_key)
})

t.test(
  'a store that cannot be written: starts are refused and not sent, reads go on, nothing of it is lost',
  async t => {
    const { asAcme, meeting, storeFile, simulator, events } = await gateway(t)
    const { ms: calmMs } = await timed(asAcme('PATCH', `/v2/meetings/${meeting}`, { title: 'calm' }))
    const unlock = lockStore(storeFile)
    const { reply: start, ms } = await timed(
      asAcme('POST', `/v2/meetings/${meeting}/livestreams`, undefined, { 'x-request-id': 'locked-out' })
    )
    t.equal(start.statusCode, 503)
    t.match(start.json().error, { type: 'audit_unavailable', outcome: 'not_sent' })
    t.ok(ms < latestMs(1_000, calmMs), 'and it does not take long')
    t.equal(simulator.journal.filter(({ method }) => method === 'POST').length, 0)
    t.equal((await asAcme('GET', `/v2/meetings/${meeting}`)).statusCode, 200)
    unlock()
    const refusals = async () => (await events()).filter(event => event.metadata.correlation_uid === 'locked-out')
    await until(async () => (await refusals().catch(() => [])).length === 1)
    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
  }
)

t.test(
  'a start that the vendor did, but that could not be recorded: 503 unknown, and the next start finds it',
  async t => {
    const { asAcme, meeting, storeFile, simulator, door } = await gatewayBehindDoor(t)
    door.hold('POST')
    const starting = asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    await until(() => door.held().length === 1)
    const unlock = lockStore(storeFile)
    door.release()
    const reply = await starting
    unlock()
    t.equal(reply.statusCode, 503)
    t.match(reply.json().error, { type: 'audit_unavailable', outcome: 'unknown' })
    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 200)
    t.equal(simulator.livestreams()[0]?.starts, 1)
  }
)

t.test('a caller that hangs up before the answer is on record, and so is the use of a revoked key', async t => {
  const { asAcme, meeting, simulator, url, withKey, events, store, directory } = await gateway(t)
  const { key, id, call } = await withKey('acme', ['livestreams:read'])
  simulator.failNext({ match: { method: 'GET' }, stall: true })
  const hangUp = new AbortController()
  const reading = fetch(`${url}/v2/meetings/${meeting}/active-livestream`, {
    headers: { authorization: `Bearer ${key}`, 'x-request-id': 'left' },
    signal: hangUp.signal
  })
  const left = t.rejects(reading)
  await until(() => simulator.journal.length > 0)
  hangUp.abort()
  await left
  const of = async (request: string) =>
    (await events()).filter(event => event.metadata.correlation_uid === request).map(summary)
  await until(async () => (await of('left')).length > 0)
  t.strictSame(await of('left'), ['acme getActiveLivestream failed - caller_left'])

  await apiKeysIn(store).revoke(id, Date.now())
  await directory.pull()
  t.equal((await call('GET', '/v2/livestreams', undefined, { 'x-request-id': 'revoked' })).statusCode, 401)
  t.strictSame(await of('revoked'), ['acme listLivestreams refused 401 key_revoked'])
  t.equal((await asAcme('POST', '/v2/meetings', { title: 'x' }, { 'x-request-id': 'made' })).statusCode, 201)
  const [, made] = (await events()).filter(event => event.metadata.correlation_uid === 'made')
  t.match(made?.resources, [{ type: 'meeting', uid: String }], 'what was made is named')
})

function summary(event: AuditEvent): string {
  const { tenant_id, outcome } = event.unmapped
  return [
    tenant_id ?? 'nobody',
    event.api.operation,
    outcome,
    event.status_code ?? '-',
    event.status_detail ?? '-'
  ].join(' ')
}
