import t, { type Test } from 'tap'
import { presets } from '../../../src/domain/scope.ts'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { queuedCalls } from '../../support/broadcast/queued-calls.ts'
import { type Reply, withoutRequestId } from '../../support/gateway.ts'
import { freshKey } from '../../support/http/mutating.ts'
import { until } from '../../support/until.ts'

type World = Awaited<ReturnType<typeof gatewayBehindDoor>>

/** Changes that can come while a caller waits, and what it is told then. */
const changes: [
  name: string,
  status: number,
  type: string,
  change: (world: World, key: string, meeting: string) => unknown
][] = [
  ['its key is revoked', 401, 'key_revoked', ({ store }, key) => apiKeysIn(store).revoke(key, Date.now())],
  [
    'its tenant is suspended',
    403,
    'tenant_suspended',
    ({ store }) => tenantsIn(store).update('acme', { suspended: true }, Date.now())
  ],
  [
    'its meeting is released',
    404,
    'meeting_not_found',
    ({ store }, _key, meeting) => meetingsIn(store).release(meeting, Date.now())
  ],
  [
    'its meeting is given to another tenant',
    404,
    'meeting_not_found',
    async ({ store, directory, asGlobex }, _key, meeting) => {
      await meetingsIn(store).release(meeting, Date.now())
      await meetingsIn(store).assign('globex', 'default', [meeting], Date.now())
      await directory.pull()
      // Memory knows whose it is now.
      await asGlobex('GET', `/v2/meetings/${meeting}/livestreams`)
    }
  ]
]

/** Lets a call wait at the vendor's door, changes something, and opens the door. */
async function whileWaiting(
  world: World,
  begin: string,
  call: () => Promise<Reply>,
  change: () => unknown
): Promise<Reply> {
  world.door.hold(begin)
  const waiting = call()
  await until(() => world.door.held().some(line => line.startsWith(begin)))
  await change()
  await world.directory.pull()
  world.door.release()
  return waiting
}

/** 401, 403 or 404, and nothing else that the vendor or Livegate knows. */
function isBare(t: Test, reply: Reply, status: number, type: string, what: string): void {
  t.equal(reply.statusCode, status, what)
  t.equal(reply.json().error?.type, type, what)
  t.strictSame(Object.keys(reply.json()).sort(), ['error', 'success'], what)
  for (const name of ['cache-status', 'age', 'idempotency-replayed']) t.equal(reply.headers[name], undefined, what)
}

for (const [what, status, type, change] of changes) {
  t.test(`${what} while a call waits: it gets no data`, async t => {
    const world = await queuedCalls(t)
    const { withKey, events, aMeeting, simulator } = world
    const { id: keyId, call } = await withKey('acme', presets.owner)
    const { id, start, isLive } = await aMeeting()
    const changed = () => change(world, keyId, id)
    const requestId = { 'x-request-id': 'waited' }
    const reply = await whileWaiting(
      world,
      `POST /v2/meetings/${id}/livestreams`,
      () => start(call, requestId),
      changed
    )
    isBare(t, reply, status, type, 'a start')
    t.ok(isLive(), 'what was sent was done')
    const own = (await events()).filter(one => one.metadata.correlation_uid === 'waited')
    t.strictSame(
      own.map(({ unmapped, status_code, status_detail }) => [unmapped.outcome, status_code, status_detail]),
      [
        ['pending', undefined, undefined],
        ['done', '201', undefined],
        ['refused', String(status), type]
      ],
      'both are on record'
    )
    t.notOk(own.at(-1)?.unmapped.stream_key_revealed)
    t.equal(simulator.journal.filter(({ method }) => method === 'POST').length, 1)
  })

  t.test(`${what} while it waits for the start of another`, async t => {
    const world = await queuedCalls(t)
    const { withKey, door, inLine, directory, aMeeting } = world
    const first = await withKey('acme', presets.owner)
    const second = await withKey('acme', presets.owner)
    const { id, start, sent } = await aMeeting()
    door.hold()
    const waiting = await inLine([() => start(first.call), () => start(second.call, freshKey())])
    await change(world, second.id, id)
    await directory.pull()
    door.release()
    const joined = await waiting[1]
    if (joined !== undefined) isBare(t, joined, status, type, 'who joined')
    t.ok(sent().filter(call => call === 'start').length <= 1)
    if (status === 401) t.equal((await waiting[0])?.statusCode, 201, 'the other key is as it was')
  })

  t.test(`${what} while it waits for a read that others share`, async t => {
    const world = await gatewayBehindDoor(t, { config: { readTtlMs: 60_000 } })
    const { withKey, asAcme, meeting, door, directory, events } = world
    await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    const { id: keyId, call } = await withKey('acme', presets.owner)
    const path = `/v2/meetings/${meeting}`
    door.hold()
    const reads = [asAcme('GET', path), call('GET', path, undefined, { 'x-request-id': 'shared' })]
    await until(() => door.held().length > 0)
    await change(world, keyId, meeting)
    await directory.pull()
    door.release()
    const [other, own] = await Promise.all(reads)
    if (own !== undefined) isBare(t, own, status, type, 'the read')
    if (status === 401) t.equal(other?.statusCode, 200, 'the other key is as it was')
    const event = (await events()).find(one => one.metadata.correlation_uid === 'shared')
    t.match(event, { status_code: String(status), status_detail: type, unmapped: { outcome: 'refused' } })
  })
}

t.test('a stop: a suspended tenant may, a revoked key is told nothing, and it is done in any case', async t => {
  for (const [what, status, , change] of changes) {
    const world = await queuedCalls(t)
    const { id: keyId, call } = await world.withKey('acme', presets.owner)
    const { id, start, stop, isLive } = await world.aMeeting()
    await start()
    const begin = `POST /v2/meetings/${id}/active-livestream/stop`
    const reply = await whileWaiting(
      world,
      begin,
      () => stop(call),
      () => change(world, keyId, id)
    )
    // Released, memory knows nothing of it, and a stop does not wait for the store to be told.
    const passes = status === 403 || what === 'its meeting is released'
    t.equal(reply.statusCode, passes ? 200 : status, what)
    t.notOk(isLive(), what)
  }
})

t.test('an answer of before is not given again to who may not have it any more', async t => {
  const world = await queuedCalls(t)
  const { withKey, door, directory, store, aMeeting } = world
  const { id: keyId, call } = await withKey('acme', presets.owner)
  const { start } = await aMeeting()
  const { id } = (await start()).json().data
  const headers = freshKey()
  const disable = () => call('PUT', `/v2/livestreams/${id}/disable`, undefined, headers)
  world.simulator.failNext({ match: { method: 'PUT' }, status: 500 })
  await disable()
  // Under the same key it is sent again, and waits for it.
  door.hold()
  const again = disable()
  await until(() => door.held().length > 0)
  await apiKeysIn(store).revoke(keyId, Date.now())
  await directory.pull()
  door.release()
  isBare(t, await again, 401, 'key_revoked', 'the replay')
})

t.test('a livestream and its runs, by their own ids', async t => {
  for (const kind of ['livestream', 'livestream_session', 'session'] as const) {
    const world = await gatewayBehindDoor(t)
    const { asAcme, meeting, store, simulator } = world
    simulator.joinMeeting(meeting)
    const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
    const run = (await asAcme('GET', `/v2/livestreams/${id}/active-livestream-session`)).json().data.session.id
    const session = (await asAcme('GET', `/v2/meetings/${meeting}/active-session`)).json().data.id
    const path = {
      livestream: `/v2/livestreams/${id}`,
      livestream_session: `/v2/livestreams/sessions/${run}`,
      session: `/v2/sessions/${session}/livestream-sessions`
    }[kind]
    const release = () => meetingsIn(store).release(meeting, Date.now())
    const reply = await whileWaiting(world, `GET ${path}`, () => asAcme('GET', path), release)
    isBare(t, reply, 404, `${kind}_not_found`, path)
    t.equal(withoutRequestId(reply), withoutRequestId(await asAcme('GET', path)), 'as if it came now')
  }
})

t.test('a key that expires meanwhile', async t => {
  const world = await gatewayBehindDoor(t)
  const { withKey, meeting } = world
  const { call } = await withKey('acme', presets.owner, { expiresAtMs: Date.now() + 300 })
  const path = `/v2/meetings/${meeting}`
  const expire = () => new Promise(resolve => setTimeout(resolve, 400))
  isBare(t, await whileWaiting(world, 'GET', () => call('GET', path), expire), 401, 'key_expired', path)
})
