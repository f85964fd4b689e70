import { randomBytes } from 'node:crypto'
import t from 'tap'
import { makeKey } from '../../src/domain/api-key.ts'
import { type Caller, revealsKey, shownTo } from '../../src/domain/caller.ts'
import { noLiveLimits } from '../../src/domain/ends/live-limits.ts'
import { isRunning, Livestream, LivestreamWithKey, secretFields, withoutKey } from '../../src/domain/livestream.ts'
import { usualPresetRule } from '../../src/domain/preset.ts'
import { type Scope, scopes } from '../../src/domain/scope.ts'

const livestream: LivestreamWithKey = Object.freeze({
  id: 'a1',
  name: 'friday-show',
  status: 'LIVE',
  meeting_id: 'm1',
  playback_url: 'https://playback.example/hls/a1.m3u8',
  ingest_server: 'rtmps://ingest.example:443/app/',
  stream_key: randomBytes(16).toString('hex')
})

function callerWith(granted: readonly Scope[]): Caller {
  const { id, digest } = makeKey()
  const times = { createdAtMs: 0, expiresAtMs: null, revokedAtMs: null, predecessorId: null }
  const limits = { readLimit: null, writeLimit: null, limits: noLiveLimits, presetRule: usualPresetRule }
  return {
    tenant: { id: 'acme', name: 'Acme', upstream: 'default', ...limits, suspended: false, createdAtMs: 0 },
    key: { id, tenantId: 'acme', name: 'studio', scopes: granted, digest, ...times },
    keyFingerprint: '',
    idempotency: null,
    address: '127.0.0.1',
    requestId: 'r1',
    trace: null,
    markAudited: () => {}
  }
}

t.test('without its key a livestream has everything but where to send video and with which key', async t => {
  const { ingest_server, stream_key, ...rest } = livestream
  t.strictSame(withoutKey(livestream), rest)
  t.equal(livestream.stream_key, stream_key, 'the original is not touched')
  t.strictSame(withoutKey({ id: 'a1', status: 'IDLE' }), { id: 'a1', status: 'IDLE' })
})

t.test('the secret fields are exactly what LivestreamWithKey has beyond Livestream', async t => {
  const open = Object.keys(Livestream.properties)
  const more = Object.keys(LivestreamWithKey.properties).filter(name => !open.includes(name))
  t.strictSame(more.sort(), [...secretFields].sort())
})

t.test('only a caller with stream-key:read is shown the stream key', async t => {
  t.strictSame(shownTo(callerWith(['stream-key:read']), livestream), livestream)
  const others = scopes.filter(scope => scope !== 'stream-key:read')
  t.strictSame(shownTo(callerWith(others), livestream), withoutKey(livestream))
  t.strictSame(shownTo(callerWith([]), livestream), withoutKey(livestream))
})

t.test('an answer counts as revealing when it has the stream key or the ingest server', async t => {
  const { ingest_server, stream_key, ...rest } = livestream
  t.equal(revealsKey(livestream), true)
  t.equal(revealsKey({ ...rest, stream_key: stream_key ?? '' }), true)
  t.equal(revealsKey({ ...rest, ingest_server: ingest_server ?? '' }), true)
  t.equal(revealsKey(rest), false)
})

t.test('a run goes on until the vendor calls it over: a word that nobody knows does not', async t => {
  for (const status of ['INVOKED', 'LIVE', 'live', 'STARTING']) t.ok(isRunning(status), status)
  for (const status of ['IDLE', 'OFFLINE', 'ERRORED']) t.notOk(isRunning(status), status)
})
