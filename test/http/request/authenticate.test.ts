import { randomUUID } from 'node:crypto'
import t from 'tap'
import { makeKey } from '../../../src/domain/api-key.ts'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { tenantsIn } from '../../../src/store/tables/tenants.ts'
import { timed } from '../../support/campaigns/live-world.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway, type Reply } from '../../support/gateway.ts'
import { latestMs } from '../../support/grace.ts'
import { isEnvelope } from '../../support/http/helper.ts'
import { until } from '../../support/until.ts'

const clock = manualClock()
const world = await gateway(t, { clock, config: { addressLimit: { calls: 10_000, seconds: 60, burst: 10_000 } } })
const { as, withKey, store, directory, upstream, events } = world
const { key } = await withKey('acme', ['meetings:read'])
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
const status = async (authorization: string | null) => (await as(authorization)('GET', '/v2/meetings')).statusCode

t.test('a key is taken as Bearer, and as Basic with its tenant, in any case of the scheme', async t => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer ']) t.equal(await status(`${scheme} ${key}`), 200, scheme)
  const encoded = basic('acme', key)
  t.equal(await status(encoded), 200)
  t.equal(await status(encoded.replace('Basic', 'basic')), 200)
  t.equal(await status(encoded.replace(/=*$/, '')), 200, 'also without padding, as some clients leave it out')
})

t.test('the answer is the same to the byte, whatever is wrong with a key', async t => {
  const last = key.at(-1) === 'a' ? 'b' : 'a'
  const wrong: [string, string | null][] = [
    ['none', null],
    ['an empty header', ''],
    ['only the scheme', 'Bearer'],
    ['another scheme', `Token ${key}`],
    ['no scheme', key],
    ['a word', 'Bearer hello'],
    ['two keys', `Bearer ${key} ${key}`],
    ['two in one header', `Bearer ${key}, Bearer ${key}`],
    ['one character too few', `Bearer ${key.slice(0, -1)}`],
    ['one too many', `Bearer ${key}a`],
    ['a wrong checksum', `Bearer ${key.slice(0, -1)}${last}`],
    [
      'another secret behind a known id',
      `Bearer ${makeKey()
        .key.reveal()
        .replace(/^lgk_\w{12}/, key.slice(0, 16))}`
    ],
    ['an unknown key', `Bearer ${makeKey().key.reveal()}`],
    ['Basic as Bearer', `Bearer ${basic('acme', key).slice(6)}`],
    ['Basic with another tenant', basic('globex', key)],
    ['Basic with a tenant that is none', basic('nobody', key)],
    ['Basic without a tenant', basic('', key)],
    ['Basic with the key as user', basic(key, '')],
    ['Basic without a colon', `Basic ${Buffer.from(key).toString('base64')}`],
    ['Basic that is not base64', 'Basic !!!'],
    ['a very long one', `Bearer ${'a'.repeat(8_000)}`]
  ]
  const seen = new Map<string, string>()
  const before = upstream().length
  for (const [what, authorization] of wrong) {
    const reply = await as(authorization)('GET', '/v2/meetings', undefined, { 'x-request-id': 'same' })
    t.ok(isEnvelope(reply, 401, 'unauthorized'), what)
    seen.set(withoutPassing(reply), what)
  }
  t.equal(seen.size, 1, `one answer, not ${[...seen.values()].join(' / ')}`)
  t.match([...seen.keys()][0], 'www-authenticate')
  t.equal(upstream().length, before)
})

t.test('a 401 says how to come, and that calls without a key are counted', async t => {
  const { headers } = await as(null)('GET', '/v2/meetings')
  t.equal(headers['www-authenticate'], 'Bearer realm="livegate"')
  t.match(headers.ratelimit, /^"address";r=\d+;t=\d+$/)
})

t.test('every path behind a key asks for it before it says anything else', async t => {
  const paths = ['/v2/meetings/a.b', '/v2/livestreams?nothing=1', '/v2/nothing', '/gateway/audit-events', '/gateway/x']
  for (const path of paths) t.equal((await as(null)('GET', path)).statusCode, 401, path)
  const reply = await as(null)('POST', '/v2/meetings', '{"broken', { 'content-type': 'text/plain' })
  t.equal(reply.statusCode, 401)
})

t.test('a key works until the moment in which it expires', async t => {
  const { key } = await withKey('acme', ['meetings:read'], { expiresAtMs: clock.now() + 1_000 })
  clock.advance(999)
  t.equal(await status(`Bearer ${key}`), 200)
  clock.advance(1)
  t.equal(await status(`Bearer ${key}`), 401)
})

t.test('the holder of a key that was revoked or has expired is told so, and nobody else', async t => {
  const revoked = await withKey('acme', ['meetings:read'], { expiresAtMs: clock.now() })
  await apiKeysIn(store).revoke(revoked.id, clock.now())
  await directory.pull()
  const expired = await withKey('acme', ['meetings:read'], { expiresAtMs: clock.now() })
  for (const [{ key: ended }, type] of [
    [revoked, 'key_revoked'],
    [expired, 'key_expired']
  ] as const) {
    for (const shown of [`Bearer ${ended}`, basic('acme', ended)])
      t.ok(isEnvelope(await as(shown)('GET', '/v2/meetings'), 401, type), type)
    const another = makeKey().key.reveal()
    for (const shown of [basic('globex', ended), `Bearer ${another.replace(/^lgk_\w{12}/, ended.slice(0, 16))}`])
      t.ok(isEnvelope(await as(shown)('GET', '/v2/meetings'), 401, 'unauthorized'))
  }
})

t.test('a key that another process makes or revokes acts within five seconds, without a restart', async t => {
  const { id, key: secret, digest } = makeKey()
  const key = secret.reveal()
  const times = { createdAtMs: clock.now(), expiresAtMs: null, revokedAtMs: null, predecessorId: null }
  await apiKeysIn(store).create({ id, tenantId: 'acme', name: 'late', scopes: ['meetings:read'], digest, ...times })
  const { ms: calmMs } = await timed(world.asAcme('GET', '/v2/meetings'))
  const within = latestMs(5_000, calmMs)
  await t.resolves(until(async () => (await status(`Bearer ${key}`)) === 200, within))
  await apiKeysIn(store).revoke(id, clock.now())
  await t.resolves(until(async () => (await status(`Bearer ${key}`)) === 401, within))
})

t.test('a suspended tenant is told so, and is back when it is resumed', async t => {
  await tenantsIn(store).update('globex', { suspended: true }, clock.now())
  await directory.pull()
  const refused = await world.asGlobex('GET', '/v2/meetings')
  t.ok(isEnvelope(refused, 403, 'tenant_suspended'))
  t.equal((await world.asAcme('GET', '/v2/meetings')).statusCode, 200, 'the other one is not touched')
  await tenantsIn(store).update('globex', { suspended: false }, clock.now())
  await directory.pull()
  t.equal((await world.asGlobex('GET', '/v2/meetings')).statusCode, 200)
})

t.test('a refused key is on record by its id, and never by itself', async t => {
  const stranger = makeKey()
  const requestId = randomUUID()
  await as(`Bearer ${stranger.key.reveal()}`)('GET', '/v2/meetings', undefined, { 'x-request-id': requestId })
  const [event] = (await events()).filter(({ metadata }) => metadata.correlation_uid === requestId)
  t.match(event?.unmapped, { outcome: 'refused', tenant_id: null, key_id: stranger.id })
  t.match(event?.status_code, '401')
})

/** The whole answer, less what counts and dates it. */
function withoutPassing({ statusCode, headers, body }: Reply): string {
  const { date: _date, ratelimit: _left, ...rest } = headers
  return JSON.stringify([statusCode, rest, body])
}
