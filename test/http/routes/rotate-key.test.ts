import t from 'tap'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { says } from '../../support/campaigns/trouble.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { tally } from '../../support/http/helper.ts'
import { freshKey, isReplay } from '../../support/http/mutating.ts'

const path = '/gateway/keys/rotate'
const hourMs = 3_600_000

t.test('a key makes its successor, and both work until the overlap is over', async t => {
  const clock = manualClock()
  const { as, withKey, directory, store, events } = await gateway(t, { clock })
  const { id, key, call } = await withKey('acme', ['keys:rotate', 'meetings:read'])
  const headers = freshKey()
  const reply = await call('POST', path, { overlap_seconds: 7_200 }, headers)
  t.equal(reply.statusCode, 201)
  t.equal(reply.headers['cache-control'], 'no-store')
  const { data } = reply.json()
  t.match(data, { scopes: ['keys:rotate', 'meetings:read'], expires_at: null, previous: { id } })
  t.equal(Date.parse(data.previous.expires_at) - clock.now(), 2 * hourMs)
  const next = as(`Bearer ${data.key}`)
  for (const one of [call, next]) t.equal((await one('GET', '/v2/meetings')).statusCode, 200)

  const replay = await call('POST', path, { overlap_seconds: 7_200 }, headers)
  t.ok(isReplay(replay))
  const { key: _key, ...rest } = data
  t.strictSame(replay.json().data, { ...rest, key_shown: true })
  t.equal(says(await call('POST', path)), '409 rotation_under_way not_sent')
  const told = (await events()).filter(({ api }) => api.operation === 'rotateKey')
  t.match(told[0]?.resources, [
    { type: 'key', uid: id },
    { type: 'key', uid: data.id }
  ])

  clock.advance(2 * hourMs)
  await directory.pull()
  t.equal(says(await call('GET', '/v2/meetings')), '401 key_expired')
  t.equal((await next('GET', '/v2/meetings')).statusCode, 200)
  t.match(await apiKeysIn(store).find(data.id), { predecessorId: id, name: 'test', expiresAtMs: null })
  t.not(data.key, key)
})

t.test('one idempotency key of two programs is no replay of the other rotation', async t => {
  const { withKey } = await gateway(t)
  const [one, other] = [await withKey('acme', ['keys:rotate']), await withKey('acme', ['keys:rotate'])]
  const headers = freshKey()
  t.equal((await one.call('POST', path, {}, headers)).statusCode, 201)
  t.equal(says(await other.call('POST', path, {}, headers)), '422 idempotency_key_reused')
})

t.test('no successor lives longer than the key before, whose own end is never later than it was', async t => {
  const { withKey, store } = await gateway(t)
  const expiresAtMs = Date.now() + hourMs
  const { id, call } = await withKey('acme', ['keys:rotate'], { expiresAtMs })
  const { data } = (await call('POST', path)).json()
  t.equal(Date.parse(data.expires_at), expiresAtMs)
  t.equal(Date.parse(data.previous.expires_at), expiresAtMs)
  t.match(await apiKeysIn(store).find(id), { expiresAtMs })
})

t.test('twenty rotations of one key at once make one successor', async t => {
  const { withKey, store } = await gateway(t, { slowDisk: true })
  const { id, call } = await withKey('acme', ['keys:rotate'])
  const replies = await Promise.all(Array.from({ length: 20 }, () => call('POST', path)))
  t.strictSame(tally(replies), { 201: 1, 409: 19 })
  const successors = (await apiKeysIn(store).list('acme')).filter(one => one.predecessorId === id)
  t.equal(successors.length, 1)
})

t.test('a revocation ends the successors of a key, and a key whose successor was revoked may be rotated', async t => {
  const { as, withKey, store, directory } = await gateway(t)
  const keys = apiKeysIn(store)
  const first = await withKey('acme', ['keys:rotate', 'meetings:read'])
  const second = (await first.call('POST', path)).json().data
  const third = (await as(`Bearer ${second.key}`)('POST', path)).json().data
  t.strictSame((await keys.line(first.id)).sort(), [first.id, second.id, third.id].sort())
  await keys.revoke(second.id, Date.now())
  await directory.pull()
  for (const { key } of [second, third])
    t.equal(says(await as(`Bearer ${key}`)('GET', '/v2/meetings')), '401 key_revoked')
  t.equal((await first.call('GET', '/v2/meetings')).statusCode, 200, 'the key before is none of them')
  const another = await first.call('POST', path)
  t.equal(another.statusCode, 201)
  t.equal(another.json().data.expires_at, null, 'it does not end with the overlap')
  await keys.revoke(first.id, Date.now())
  await directory.pull()
  t.equal(says(await as(`Bearer ${another.json().data.key}`)('GET', '/v2/meetings')), '401 key_revoked')
})

t.test('a key that was revoked a moment ago makes no successor, and an overlap has bounds', async t => {
  const { withKey, store } = await gateway(t)
  const { id, call } = await withKey('acme', ['keys:rotate'])
  for (const overlap_seconds of [0, 59, 604_801, 1.5])
    t.equal(says(await call('POST', path, { overlap_seconds })), '400 invalid_input')
  await apiKeysIn(store).revoke(id, Date.now())
  t.match(says(await call('POST', path)), /^401 key_revoked/)
  t.equal((await apiKeysIn(store).list('acme')).filter(one => one.predecessorId === id).length, 0)
})
