import Database from 'better-sqlite3'
import t from 'tap'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { all, queuedCalls, times } from '../../support/broadcast/queued-calls.ts'
import { says } from '../../support/campaigns/trouble.ts'
import { manualClock } from '../../support/clock.ts'
import { lockStore } from '../../support/faulty-store.ts'
import type { Reply, World } from '../../support/gateway.ts'
import { tally } from '../../support/http/helper.ts'
import { freshKey } from '../../support/http/mutating.ts'
import { until } from '../../support/until.ts'

const { aMeeting, asAcme, asGlobex, simulator, store, storeFile, directory, withKey, door, inLine } =
  await queuedCalls(t)

t.test('the next in line leads when the start that others joined may not go on', async t => {
  const { id, start, stop, sent } = await aMeeting()
  simulator.startFromBrowser(id)
  const leader = await withKey('acme', ['livestreams:start'])
  const [leaders, second, third] = [freshKey(), freshKey(), freshKey()]
  door.hold()
  const [stopping] = await inLine([stop])
  await until(() => door.held().length === 1)
  const [leading] = await inLine([() => start(leader.call, leaders)])
  const joined = await inLine([() => start(asAcme, second), () => start(asAcme, third)])
  await apiKeysIn(store).revoke(leader.id, Date.now())
  await directory.pull()
  door.release()
  t.equal((await stopping)?.statusCode, 200)
  t.match((await leading)?.json().error, { code: 401, type: 'key_revoked' })
  t.strictSame(tally(await all(joined)), { 200: 1, 201: 1 })
  t.strictSame(sent(), ['stop', 'look', 'start'])
  t.equal((await start(asAcme, leaders)).statusCode, 200, 'and the key of the one that sent nothing is free')
})

/** The meeting is globex's from now on. */
async function reassign(id: string, { store, directory }: Pick<World, 'store' | 'directory'>): Promise<void> {
  await meetingsIn(store).release(id, Date.now())
  await meetingsIn(store).assign('globex', 'default', [id], Date.now())
  await directory.pull()
}

t.test("a start of a meeting's next holder does not join that of the one before, and hears nothing of it", async t => {
  const clock = manualClock()
  const world = await queuedCalls(t, { clock })
  const { id, start, stop, sent } = await world.aMeeting()
  world.door.hold('POST')
  const [stopping] = await world.inLine([stop])
  await until(() => world.door.held().length === 1)
  const [leading] = await world.inLine([start])
  await reassign(id, world)
  const [next] = await world.inLine([() => start(world.asGlobex)])
  clock.advance(30_001)
  world.door.release()
  await stopping
  t.match((await leading)?.json().error, { type: 'meeting_not_found', outcome: 'not_sent' })
  t.equal((await next)?.statusCode, 201)
  t.strictSame(
    sent().filter(call => call !== 'look'),
    ['stop', 'start']
  )
})

t.test("a stop of a meeting's next holder is its own: it goes on when that of the one before is given up", async t => {
  const { id, start, stop, isLive } = await aMeeting()
  t.equal((await start()).statusCode, 201)
  door.hold('POST')
  const [first] = await inLine([stop])
  await until(() => door.held().length === 1)
  const match = { path: `/meetings/${id}/active-livestream/stop` }
  const refusal = { success: false, error: { code: 400, message: 'not now' } }
  simulator.failNext({ match, status: 400, body: refusal })
  simulator.failNext({ match, hangUp: true })
  const [second] = await inLine([stop])
  await reassign(id, { store, directory })
  const [next] = await inLine([() => stop(asGlobex)])
  // Nobody can say whose the meeting is, and stops go on.
  const database = new Database(storeFile)
  database.exec('ALTER TABLE meetings RENAME TO away')
  door.release()
  for (const reply of [first, second]) t.match((await reply)?.json().error, { type: 'meeting_not_found' })
  database.exec('ALTER TABLE away RENAME TO meetings')
  database.close()
  await next
  await until(() => !isLive(), 20_000)
})

t.test('a call that joined a start for longer than a deadline hears nothing of what its key may not do', async t => {
  const clock = manualClock()
  const { aMeeting, asAcme, store, directory, withKey, door, inLine } = await queuedCalls(t, { clock })
  const { start, sent } = await aMeeting()
  const leader = await withKey('acme', ['livestreams:start'])
  door.hold('GET')
  const [leading] = await inLine([() => start(leader.call)])
  await until(() => door.held().length === 1)
  const key = freshKey()
  const [joined] = await inLine([() => start(asAcme, key)])
  clock.advance(30_001)
  await apiKeysIn(store).revoke(leader.id, Date.now())
  await directory.pull()
  door.release()
  t.equal(says((await leading) as Reply), '401 key_revoked not_sent')
  t.equal(says((await joined) as Reply), '409 start_unsettled not_sent')
  t.strictSame(sent(), ['look'])
  t.equal((await start(asAcme, key)).statusCode, 201, 'its key is free')
})

t.test('a key that is revoked while its start looks, waiting for nobody: nothing is sent', async t => {
  const { start, sent, isLive } = await aMeeting()
  const revoked = await withKey('acme', ['livestreams:start'])
  door.hold('GET')
  const [starting] = await inLine([() => start(revoked.call)])
  await until(() => door.held().length === 1)
  await apiKeysIn(store).revoke(revoked.id, Date.now())
  await directory.pull()
  door.release()
  t.equal(says((await starting) as Reply), '401 key_revoked not_sent')
  t.strictSame(sent(), ['look'])
  t.notOk(isLive())
})

t.test('a tenant that was suspended while its starts waited: none of them is sent', async t => {
  const { id, start, stop, sent, isLive } = await aMeeting()
  simulator.startFromBrowser(id)
  const keys = times(3, freshKey)
  door.hold()
  const [stopping] = await inLine([stop])
  await until(() => door.held().length === 1)
  const starting = await inLine(keys.map(key => () => start(asAcme, key)))
  await tenantsIn(store).update('acme', { suspended: true }, Date.now())
  await directory.pull()
  door.release()
  t.equal((await stopping)?.statusCode, 200)
  t.strictSame(
    (await all(starting)).map(says),
    times(3, () => '403 tenant_suspended not_sent')
  )
  t.strictSame(sent(), ['stop'])
  t.notOk(isLive())
  await tenantsIn(store).update('acme', { suspended: false }, Date.now())
  await directory.pull()
  t.equal((await start(asAcme, keys[0])).statusCode, 201, 'their keys are free')
})

t.test('the next in line leads when no connection came to stand for the one that led', async t => {
  const { start, sent } = await aMeeting()
  const [first, second] = [freshKey(), freshKey()]
  door.hold()
  const [leading] = await inLine([() => start(asAcme, first)])
  await until(() => door.held().length === 1)
  const [joined] = await inLine([() => start(asAcme, second)])
  door.shut()
  door.release()
  door.hold()
  t.equal(says((await leading) as Reply), '502 upstream_unreachable not_sent')
  await until(() => door.held().length === 1) // the second one's look, over the connection that stands
  await door.open()
  door.release()
  t.equal((await joined)?.statusCode, 201)
  t.strictSame(sent(), ['look', 'look', 'start'])
  t.equal((await start(asAcme, first)).statusCode, 200, 'the key of the one that sent nothing is free')
})

for (const [what, fault, told, looksAfter] of [
  ['asks to slow down', { retryAfterSeconds: 1 }, '503 upstream_throttled not_sent', 0],
  ['refuses the credentials', { status: 401 }, '502 upstream_credentials_refused not_sent', 0],
  // The look before it has shown that the credentials are taken: the meeting is asked for besides.
  ['forbids it', { status: 403 }, '502 upstream_refused failed', 2],
  ['refuses the start', { status: 422 }, '502 upstream_refused failed', 1]
] as const) {
  t.test(`a vendor that ${what} is asked once, and all that wait hear it`, async t => {
    const { id, start, sent } = await aMeeting()
    const keys = times(20, freshKey)
    simulator.failNext({ match: { method: 'POST', path: `/meetings/${id}/livestreams` }, ...fault })
    door.hold()
    const starting = await inLine(keys.map(key => () => start(asAcme, key)))
    door.release()
    t.strictSame(
      (await all(starting)).map(says),
      times(20, () => told)
    )
    t.strictSame(sent(), ['look', 'start', ...times(looksAfter, () => 'look')])
    if (!told.endsWith('not_sent')) return
    // A vendor that asks to slow down is not asked before it says.
    await until(async () => (await asAcme('GET', `/v2/meetings/${id}/active-livestream`)).statusCode === 404)
    t.strictSame(tally(await all(keys.map(key => start(asAcme, key)))), { 200: 19, 201: 1 }, 'their keys are free')
  })
}

t.test('a start that cannot be recorded: all that wait hear it, and nothing is sent', async t => {
  const { start, sent } = await aMeeting()
  const keys = times(20, freshKey)
  door.hold()
  const starting = await inLine(keys.map(key => () => start(asAcme, key)))
  const unlock = lockStore(storeFile)
  door.release()
  t.strictSame(
    (await all(starting)).map(says),
    times(20, () => '503 audit_unavailable not_sent')
  )
  unlock()
  t.strictSame(sent(), ['look'])
  await until(async () => (await start(asAcme, keys[0])).statusCode === 201)
  t.equal((await start(asAcme, keys[1])).statusCode, 200)
})

t.test('the next in line stops the meeting when the stop that others joined may not go on', async t => {
  const { start, stop, sent, isLive } = await aMeeting()
  const leader = await withKey('acme', ['livestreams:stop'])
  door.hold()
  const [starting] = await inLine([start])
  await until(() => door.held().length === 1)
  const [leading] = await inLine([() => stop(leader.call)])
  const joined = await inLine([() => stop(), () => stop(asAcme, freshKey())])
  await apiKeysIn(store).revoke(leader.id, Date.now())
  await directory.pull()
  door.release()
  t.equal((await starting)?.statusCode, 201)
  t.equal((await leading)?.statusCode, 401)
  t.strictSame(tally(await all(joined)), { 200: 2 })
  t.equal(sent().filter(call => call === 'stop').length, 1)
  t.notOk(isLive())
})
