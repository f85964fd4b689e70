import t from 'tap'
import { IdempotencyKeyInUse, KeyRevoked } from '../../../src/domain/refusals/failures.ts'
import { presets } from '../../../src/domain/scope.ts'
import { startGateway } from '../../../src/gateway.ts'
import { inUse } from '../../../src/lifecycle/operations/mutation.ts'
import { type AddParticipantDeps, addParticipantOnce } from '../../../src/lifecycle/participants/add-participant.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import type { Fault } from '../../../src/simulator/simulator.ts'
import { UniqueViolation } from '../../../src/store/engine/engine.ts'

import { operationsIn } from '../../../src/store/tables/operations.ts'
import { participantsIn } from '../../../src/store/tables/participants.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { says } from '../../support/campaigns/trouble.ts'
import { manualClock } from '../../support/clock.ts'
import { plenty } from '../../support/config.ts'
import { type Client, client, configFor, gateway } from '../../support/gateway.ts'
import { tally } from '../../support/http/helper.ts'
import { freshKey, isReplay } from '../../support/http/mutating.ts'
import { callerOf, refusalOf } from '../../support/store/helper.ts'
import { until } from '../../support/until.ts'

const wish = { custom_participant_id: 'guest-1', preset_name: 'livestream_viewer' }
const pathOf = (meeting: string): string => `/v2/meetings/${meeting}/participants`
const adding = (call: Client, meeting: string) => (body: object, headers?: Record<string, string>) =>
  call('POST', pathOf(meeting), body, headers)

t.test(
  'a participant is added with a name and a token, and the second time it is the same with another token',
  async t => {
    const { asAcme, meeting, simulator, events, upstream } = await gateway(t)
    const add = adding(asAcme, meeting)
    const first = await add(wish)
    t.equal(first.statusCode, 201)
    t.equal(first.headers['cache-control'], 'no-store')
    const { token, ...data } = first.json().data
    t.match(data, { ...wish, name: 'Guest', id: String })
    t.strictSame(JSON.parse(simulator.journal.find(({ method }) => method === 'POST')?.body ?? ''), {
      ...wish,
      name: 'Guest'
    })
    t.equal((await asAcme('GET', `${pathOf(meeting)}/${data.id}`)).json().data.id, data.id, 'its id is known')
    const again = await add({ ...wish, name: null })
    t.equal(again.statusCode, 200)
    const { token: another, ...same } = again.json().data
    t.strictSame(same, data)
    t.not(another, token)
    t.strictSame(simulator.participantTokens, [token, another])
    for (const other of [{ name: 'Mary' }, { preset_name: 'livestream_host' }, { picture: 'https://a.example/b.png' }])
      t.equal(says(await add({ ...wish, ...other })), '409 participant_conflict not_sent', JSON.stringify(other))
    t.equal(simulator.participants(meeting).length, 1)
    t.equal((await add({ ...wish, custom_participant_id: 'guest-2' })).statusCode, 201)
    const lists = upstream().filter(call => call.includes('participants?'))
    t.equal(lists.length, 1, 'the list is read once')
    const named = (await events()).filter(({ resources }) => resources.some(({ type }) => type === 'participant'))
    t.ok(named.some(({ api, unmapped }) => api.operation === 'addParticipant' && unmapped.outcome === 'done'))
  }
)

t.test('200 that ask for one participant at once make one, and all have its token', async t => {
  const options = { slowDisk: true, config: { writeLimit: plenty } }
  const { asAcme, meeting, simulator, events, door } = await gatewayBehindDoor(t, options)
  const add = adding(asAcme, meeting)
  door.hold('POST')
  const asked = Array.from({ length: 200 }, () => add(wish))
  await until(() => door.held().length === 1)
  t.equal(says(await add({ ...wish, name: 'Mary' })), '409 participant_conflict not_sent')
  door.release()
  const replies = await Promise.all(asked)
  t.strictSame(tally(replies), { 201: 200 })
  t.equal(new Set(replies.map(({ body }) => body)).size, 1)
  t.equal(simulator.participants(meeting).length, 1)
  t.equal(simulator.participantTokens.length, 1)
  const done = (await events()).filter(({ unmapped }) => unmapped.outcome === 'done')
  t.equal(done.length, 200, 'each call is on record')
})

t.test('while one is being added another body is a conflict, and each key has its own replay', async t => {
  const { asAcme, meeting, simulator, door } = await gatewayBehindDoor(t)
  const add = adding(asAcme, meeting)
  door.hold('POST')
  const keys = [freshKey(), freshKey()]
  const both = keys.map(key => add(wish, key))
  await until(() => door.held().length === 1)
  t.equal(says(await add({ ...wish, name: 'Mary' })), '409 participant_conflict not_sent')
  door.release()
  const [one, other] = await Promise.all(both)
  t.equal(one?.body, other?.body)
  for (const key of keys) {
    const replay = await add(wish, key)
    t.ok(isReplay(replay))
    const { token: _token, ...data } = one?.json().data ?? {}
    t.strictSame(replay.json(), { success: true, data: { ...data, token_issued: true } })
  }
  t.equal(simulator.participants(meeting).length, 1)
})

t.test('those who wait for one that fails hear of it, and the next call begins anew', async t => {
  const { asAcme, meeting, simulator, door } = await gatewayBehindDoor(t)
  const add = adding(asAcme, meeting)
  simulator.failNext({ match: { method: 'POST' }, status: 400, body: { success: false } })
  door.hold('POST')
  const both = [add(wish), add(wish)]
  await until(() => door.held().length === 1)
  t.equal(says(await add({ ...wish, name: 'Mary' })), '409 participant_conflict not_sent')
  door.release()
  for (const reply of await Promise.all(both)) t.equal(says(reply), '502 upstream_refused failed')
  t.equal((await add(wish)).statusCode, 201)
  t.equal(simulator.journal.filter(({ method }) => method === 'POST').length, 2)
})

t.test('a tenant that is suspended while the list is read adds nobody, and gets no other token', async t => {
  const { asAcme, meeting, simulator, store, directory, door } = await gatewayBehindDoor(t)
  const { id } = (await adding(asAcme, meeting)({ ...wish, custom_participant_id: 'first' })).json().data
  const calls = [
    () => adding(asAcme, meeting)({ ...wish, custom_participant_id: 'first' }),
    () => asAcme('POST', `${pathOf(meeting)}/${id}/token`),
    () => asAcme('PATCH', `${pathOf(meeting)}/${id}`, { name: 'Mary' })
  ]
  door.hold('GET')
  const waiting = calls.map(call => call())
  await until(() => door.held().length === 3)
  await tenantsIn(store).update('acme', { suspended: true }, Date.now())
  await directory.pull()
  door.release()
  for (const reply of await Promise.all(waiting)) t.equal(says(reply), '403 tenant_suspended not_sent')
  t.equal(simulator.participantTokens.length, 1)
})

t.test('a lost answer makes none twice: what was added is found, and gets its token then', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  const add = adding(asAcme, meeting)
  const match = { method: 'POST', path: `/meetings/${meeting}/participants` }
  const key = freshKey()
  simulator.failNext({ match, hangUp: true, afterWork: true })
  t.match(says(await add(wish, key)), /^502 .* unknown$/)
  const again = await add(wish)
  t.equal(again.statusCode, 200)
  t.equal(again.json().data.token, simulator.participantTokens.at(-1))
  t.equal(simulator.participants(meeting).length, 1)
  const replay = await add(wish, key)
  t.ok(isReplay(replay))
  t.equal(replay.statusCode, 201)
  t.match(replay.json().data, { ...wish, token_issued: false })
  t.notMatch(replay.body, /"token"/)
})

t.test('one that was not added is believed so after two late looks: until then nobody sends it again', async t => {
  const clock = manualClock()
  const { asAcme, meeting, simulator, directory } = await gateway(t, { clock, simulator: { now: clock.now } })
  const add = adding(asAcme, meeting)
  const key = freshKey()
  const match = { method: 'POST', path: `/meetings/${meeting}/participants` }
  simulator.failNext({ match, status: 500 })
  t.match(says(await add(wish, key)), /^502 .* unknown$/)
  const unsettled = await add(wish)
  t.equal(says(unsettled), '409 participant_unsettled not_sent')
  t.match(unsettled.headers['retry-after'], /^\d+$/)
  clock.advance(30_000)
  await directory.pull()
  t.equal(says(await add(wish)), '409 participant_unsettled not_sent', 'the first late look')
  clock.advance(5_000)
  await directory.pull()
  t.equal((await add(wish)).statusCode, 201)
  t.equal(says(await add(wish, key)), '502 upstream_failed failed')
  t.equal(simulator.participants(meeting).length, 1)
})

t.test('a gateway that ends meanwhile leaves it to the next one to find out, and keeps no id of a caller', async t => {
  const { asAcme, meeting, simulator, store, storeFile, withKey, close } = await gateway(t)
  const { key } = await withKey('acme', presets.owner)
  simulator.failNext({ match: { method: 'POST' }, hangUp: true, afterWork: true })
  t.match(says(await adding(asAcme, meeting)(wish)), /unknown$/)
  const [open] = await operationsIn(store).unsettled()
  t.match(open, { kind: 'add_participant', participant: /^[0-9a-f]{32}$/ })
  await close()
  const restarted = await startGateway({ config: configFor(simulator, storeFile), logger: makeLogger('silent') })
  t.teardown(() => restarted.close())
  t.equal((await adding(client(restarted.url, `Bearer ${key}`), meeting)(wish)).statusCode, 200)
  t.equal(simulator.participants(meeting).length, 1)
})

t.test('a participant that another process adds is not added here', async t => {
  const { asAcme, meeting, simulator, store } = await gateway(t)
  t.equal((await adding(asAcme, meeting)(wish)).statusCode, 201)
  const operations = operationsIn(store)
  const [row] = (await operations.list({ limit: 1 })).map(one => ({ ...one, state: 'sent' as const, answer: null }))
  if (row === undefined) return t.fail('no row')
  await store.engine.write([operations.sent({ ...row, id: 'again', idempotency: null })])
  t.equal(says(await adding(asAcme, meeting)(wish)), '409 participant_unsettled not_sent')
  const twice = await refusalOf(store.engine.write([operations.sent({ ...row, id: 'twice' })]))
  t.type(twice, UniqueViolation)
  t.equal(inUse(twice as UniqueViolation).type, 'participant_unsettled')
  t.equal(simulator.participants(meeting).length, 1)
})

t.test('a participant that another replica has made known since the look is not added', async t => {
  const { asAcme, meeting, simulator, store, door } = await gatewayBehindDoor(t)
  const add = adding(asAcme, meeting)
  const { id } = (await add(wish)).json().data
  const [row] = await operationsIn(store).list({ limit: 1 })
  await asAcme('DELETE', `${pathOf(meeting)}/${id}`)
  door.hold('GET')
  const again = add(wish)
  await until(() => door.held().length === 1)
  const known = [{ id: 'of-another', customFingerprint: row?.participant ?? '' }]
  await store.engine.write([participantsIn(store).seen({ id: meeting, upstream: 'default' }, known, Date.now())])
  door.release()
  t.equal(says(await again), '409 participant_unsettled not_sent')
  t.equal(simulator.participants(meeting).length, 0)
})

for (const refusal of [new IdempotencyKeyInUse(), new KeyRevoked()])
  t.test(`a call that is refused with ${refusal.type} leaves the adding to one that came with it`, async t => {
    const caller = callerOf()
    const meeting = { id: 'm1', tenantId: 'acme', upstream: 'default' }
    const [first, added] = [Promise.withResolvers<never>(), { participant: { id: 'p1', ...wish }, status: 201 }]
    const led: string[] = []
    const add = addParticipantOnce({
      auditTrail: {
        around: async () => (led.push('led') === 1 ? first.promise : added),
        answered: async () => {}
      },
      upstreams: new Map([['default', { on: () => ({}) }]]),
      operations: { openAdding: async () => null },
      participantSearch: { byCustomId: async () => null },
      participants: { noneYet: () => ({}) },
      demandPreset: async () => {},
      recheckPermission: async () => {},
      fingerprintOf: () => 'f',
      deadline: () => AbortSignal.timeout(60_000)
    } as unknown as AddParticipantDeps)
    const both = [add(caller, meeting, wish), add(caller, meeting, wish)]
    first.reject(refusal)
    t.match(await refusalOf(both[0] as Promise<unknown>), { type: refusal.type })
    t.equal(await both[1], added)
    t.equal(led.length, 2)
  })

t.test('an answer that is not what was asked for shows no token', async t => {
  const { asAcme, meeting, otherMeeting, simulator } = await gateway(t, { unmoved: true })
  const match = { method: 'POST', path: `/meetings/${meeting}/participants` }
  const token = (claims: object): string => `a.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c`
  const right = { id: 'p1', ...wish, token: token({ meetingId: meeting, participantId: 'p1' }) }
  const wrong: [string, object][] = [
    ['another preset', { preset_name: 'livestream_host' }],
    ['another id', { custom_participant_id: 'guest-9' }],
    ['an id that is none', { id: '../x' }],
    ["another meeting's token", { token: token({ meetingId: otherMeeting }) }],
    ["another participant's token", { token: token({ participantId: 'p2' }) }],
    ['no token', { token: undefined }]
  ]
  for (const [i, [what, part]] of wrong.entries()) {
    const custom_participant_id = `guest-${i}`
    const data = { ...right, custom_participant_id, ...part }
    simulator.failNext({ match, status: 201, body: { success: true, data } } satisfies Fault)
    const reply = await adding(asAcme, meeting)({ ...wish, custom_participant_id })
    t.equal(says(reply), '502 upstream_malformed unknown', what)
    t.notMatch(reply.body, right.token)
  }
  const plain = { ...right, custom_participant_id: 'plain', token: 'no JWT' }
  simulator.failNext({ match, status: 201, body: { success: true, data: plain } })
  const reply = await adding(asAcme, meeting)({ ...wish, custom_participant_id: 'plain' })
  t.equal(reply.json().data.token, 'no JWT', 'nothing says that a token must be one')
})

t.test('a vendor that does not know the meeting, or the preset', async t => {
  const { asAcme, meeting, simulator, store, directory } = await gateway(t)
  const match = { method: 'POST', path: `/meetings/${meeting}/participants` }
  simulator.failNext({ match, status: 404, body: { success: false } })
  t.equal(says(await adding(asAcme, meeting)(wish)), '404 meeting_not_found')
  await tenantsIn(store).update('acme', { presetRule: { presets: ['none'] } }, Date.now())
  await directory.pull()
  t.match(says(await adding(asAcme, meeting)({ ...wish, preset_name: 'none' })), '502 upstream_refused failed')
})
