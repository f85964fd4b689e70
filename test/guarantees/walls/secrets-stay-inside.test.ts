import { randomBytes, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { makeKey } from '../../../src/domain/api-key.ts'
import type { Fault } from '../../../src/simulator/simulator.ts'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { searchFor } from '../../support/campaigns/search.ts'
import { type Client, gateway, type Reply } from '../../support/gateway.ts'
import { documentedRoutes, fill, rawSocket } from '../../support/http/helper.ts'
import { shortDeadlineMs } from '../../support/short-deadline.ts'

/**
 * Bar A5: the whole API is used and misused, with a vendor that fails in every way and echoes what it was sent; then every
 * answer, every log line, every file and the document are searched for every secret in every usual spelling.
 */
const org = randomUUID()
// Bytes that look different in each spelling: quotes for JSON, signs for URLs.
const vendorKey = `${randomBytes(12).toString('hex')}"/+&${randomBytes(4).toString('hex')}`
const basic = Buffer.from(`${org}:${vendorKey}`).toString('base64')

const world = await gateway(t, {
  simulator: { org, key: vendorKey },
  config: {
    logLevel: 'trace',
    deadlineMs: await shortDeadlineMs(t),
    addressLimit: { calls: 100_000, seconds: 60, burst: 100_000 }
  },
  unmoved: true,
  slowDisk: true
})
const { app, as, meeting, otherMeeting, simulator, storeFile, withKey, logs, url, store, directory } = world
const owner = await withKey('acme', [
  'livestreams:read',
  'livestreams:start',
  'livestreams:stop',
  'meetings:read',
  'livestreams:manage',
  'meetings:write',
  'stage:manage',
  'audit:read'
])
const privileged = await withKey('acme', ['livestreams:read', 'livestreams:start', 'stream-key:read'])
const webhooks = await withKey('acme', ['webhooks:manage'])
const host = await withKey('acme', ['participants:read', 'participants:manage'])
const stranger = makeKey().key.reveal()
const replies: Reply[] = []
/** The same client, whose answers are kept for the search. */
const kept =
  (call: Client): Client =>
  async (...call_) => {
    const reply = await call(...call_)
    replies.push(reply)
    return reply
  }
const asOwner = kept(owner.call)
const bodies: Record<string, object> = {
  createMeeting: { title: 'a' },
  updateMeeting: { title: 'b' },
  kickParticipants: { custom_participant_ids: ['guest-1'] },
  muteParticipants: { custom_participant_ids: ['guest-1'] }
}

/** Everything that the API can do, with good and bad ids, bodies and keys. */
async function useEverything(call: Client): Promise<void> {
  const livestream_id = simulator.livestreams()[0]?.id ?? 'none'
  for (const { method, path, operationId } of documentedRoutes(app)) {
    const own = fill(path, { meeting_id: meeting, livestream_id })
    const body = method === 'GET' ? undefined : (bodies[operationId] ?? {})
    await call(method, own, body)
    await call(method, fill(path, { meeting_id: otherMeeting, livestream_id: 'none' }), body)
    await call(method, `${own}?nothing=1`, body)
    if (body !== undefined) await call(method, own, '{"broken')
  }
}

const echo = { 'x-echo': `Basic ${basic}`, 'www-authenticate': `Basic ${basic}` }
const faults: Fault[] = [
  ...[400, 401, 403, 404, 409, 422, 429, 500, 503].map(status => ({
    status,
    headers: echo,
    body: {
      success: false,
      message: `Basic ${basic}`,
      error: { code: status, message: vendorKey, org, headers: { authorization: `Basic ${basic}` } }
    }
  })),
  { status: 200, body: `Basic ${basic} is not JSON: ${vendorKey}` },
  {
    status: 200,
    body: {
      success: true,
      data: { id: meeting, status: 'LIVE', authorization: `Basic ${basic}`, org_id: org, api_key: vendorKey }
    }
  },
  { redirect: `http://${org}:${randomBytes(4).toString('hex')}@127.0.0.1:1/${vendorKey.replace('"', '')}` },
  { mutate: 'wrong_shape', headers: echo },
  { mutate: 'list_data' },
  { hangUp: true },
  { stall: true },
  { garbage: true }
]

await useEverything(asOwner)
// Not searched, since it is where the secret of a webhook is shown.
const webhook = { url: 'https://hooks.example.com/', rotate_secret: true }
const { secret } = (await webhooks.call('PUT', '/gateway/webhook', webhook)).json().data
const { secret: newSecret } = (await webhooks.call('PUT', '/gateway/webhook', webhook)).json().data
await kept(webhooks.call)('GET', '/gateway/webhook')
await kept(webhooks.call)('POST', '/gateway/webhook/test')
// Not searched, since it is where the tokens of participants are shown. Their replays are, and so are lists.
const participants = `/v2/meetings/${meeting}/participants`
const guest = { custom_participant_id: `guest-${randomUUID()}`, preset_name: 'livestream_viewer' }
const replayed = { 'idempotency-key': randomUUID() }
const added = (await host.call('POST', participants, guest, replayed)).json().data
await kept(host.call)('POST', participants, guest, replayed)
for (const [method, path, body] of [
  ['PATCH', participants, { name: 'Mary' }],
  ['PUT', participants, { name: 'Sue' }],
  ['POST', participants, guest]
] as const) {
  const own = method === 'POST' ? path : `${path}/${added.id}`
  await host.call(method, own, body)
}
const again = { 'idempotency-key': randomUUID() }
await host.call('POST', `${participants}/${added.id}/token`, undefined, again)
await kept(host.call)('POST', `${participants}/${added.id}/token`, undefined, again)
await kept(host.call)('GET', participants)
await kept(host.call)('GET', `${participants}/${added.id}`)
// Not searched, since it may see where to send video. The address is one that stands in no example.
const active = `/v2/meetings/${meeting}/active-livestream`
const { stream_key } = (await privileged.call('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
const ingest_server = `rtmps://${randomUUID()}.example:443/app/`
const live = { id: randomUUID(), status: 'LIVE', meeting_id: meeting, stream_key, ingest_server }
simulator.failNext({ status: 200, body: { success: true, data: live } }, 2)
const seen = (await privileged.call('GET', active)).json().data
await asOwner('GET', active)
for (const fault of faults) {
  const end = simulator.fail({ ...fault, match: { path: '/**' } })
  await asOwner('GET', `/v2/meetings/${meeting}`)
  await asOwner('POST', `/v2/meetings/${meeting}/livestreams`)
  if (!fault.stall) await callAll()
  end()
}

async function callAll(): Promise<void> {
  await asOwner('GET', active)
  await asOwner('GET', `/v2/livestreams/${simulator.livestreams()[0]?.id}`)
  await asOwner('GET', '/v2/livestreams')
  await asOwner('GET', '/v2/meetings')
  await asOwner('POST', '/v2/meetings', { title: 'a' })
  await asOwner('PATCH', `/v2/meetings/${meeting}`, { title: 'c' })
  await asOwner('POST', `${active}/stop`)
}
// Keys where they do not belong, as hurried callers send them.
for (const key of [owner.key, stranger]) {
  const asKey = kept(as(`Bearer ${key}`))
  await useEverything(kept(as(`Basic ${Buffer.from(`globex:${key}`).toString('base64')}`)))
  await asKey('GET', `/v2/meetings/${key}`)
  await asKey('GET', `/v2/meetings/${key}%zz`)
  await asKey('GET', `/v2/meetings?api_key=${key}`)
  await asKey('GET', `/${key}`)
  await asKey('POST', '/v2/meetings', `{"key":"${key}"`)
  await asKey('GET', '/v2/nothing', undefined, { 'x-request-id': key })
  await kept(as(key))('GET', '/v2/meetings')
  const socket = await rawSocket(url)
  socket.write(`GET /v2/meet ings/${key} HTTP/1.1\r\nauthorization: Bearer ${key}\r\n\r\n`)
  replies.push(await socket.answer())
  socket.destroy()
}
await apiKeysIn(store).revoke(owner.id, Date.now())
await directory.pull()
await asOwner('GET', '/v2/meetings')
await world.events()

const canaries: Record<string, string> = {
  'the organisation id': org,
  'the API key': vendorKey,
  'the Basic credentials': `${org}:${vendorKey}`,
  "the owner's key": owner.key,
  "the other's key": privileged.key,
  "a stranger's key": stranger,
  'the secret of a webhook': secret.slice('whsec_'.length, -1),
  'its new secret': newSecret.slice('whsec_'.length, -1),
  'the stream key': stream_key,
  'the ingest server': ingest_server,
  ...Object.fromEntries(simulator.participantTokens.map((token, i) => [`token ${i}`, token.split('.')[2] ?? '']))
}

const found = searchFor(canaries)

t.test('the search finds what it looks for', async t => {
  t.strictSame(found(`{"a":"${owner.key}"}`), ["the owner's key"])
  t.strictSame(found(`x${Buffer.from(`ab${owner.key}cd`).toString('base64')}`), ["the owner's key"])
  t.strictSame(found(`Basic ${basic}`), ['the organisation id', 'the API key', 'the Basic credentials'])
  t.ok(
    simulator.journal.every(({ headers }) => headers.authorization === `Basic ${basic}`),
    'it is what the vendor got'
  )
  t.strictSame([seen.stream_key, seen.ingest_server], [stream_key, ingest_server], 'it is shown to whoever may see it')
  t.ok(Object.values(canaries).every(secret => secret.length >= 16))
})

t.test('no answer shows a secret, whatever was asked and however the vendor fails', async t => {
  t.ok(replies.length > 250, `${replies.length} answers`)
  const statuses = new Set(replies.map(({ statusCode }) => statusCode))
  for (const status of [200, 201, 400, 401, 404, 502, 503, 504]) t.ok(statuses.has(status), `${status} is among them`)
  const leaks = replies.flatMap(({ headers, body }) => found(JSON.stringify(headers) + body))
  t.strictSame(leaks, [])
})

t.test('no log line shows one, at the most talkative level', async t => {
  t.ok(logs().split('\n').length > 200)
  const leaks = logs()
    .split('\n')
    .filter(line => found(line).length > 0)
  t.strictSame(leaks, [])
})

t.test('no file in the data folder holds one: the store, its journal, whatever lies there', async t => {
  const folder = dirname(storeFile)
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  t.ok(files.some(({ name }) => name.endsWith('-wal')))
  for (const { name, parentPath } of files) t.strictSame(found(readFileSync(join(parentPath, name))), [], name)
})

t.test('the OpenAPI document shows none', async t => {
  for (const path of ['/openapi.json', '/docs', '/docs/json', '/docs/static/swagger-initializer.js']) {
    const { statusCode, body } = await as(null)('GET', path)
    t.equal(statusCode, 200, path)
    t.strictSame(found(body), [], path)
  }
})
