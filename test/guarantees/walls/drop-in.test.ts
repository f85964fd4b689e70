import t, { type Test } from 'tap'
import { type Client, gateway, type World } from '../../support/gateway.ts'

/** As the vendor's guide sends it on every call, with a body or without. */
const guideHeaders = { 'content-type': 'application/json' }

/** A client that signs in as Dyte's do: Basic with a user and a password, here the tenant and its key. */
async function basicClient({ withKey, as }: World): Promise<Client> {
  const { key } = await withKey('acme', [
    'livestreams:read',
    'livestreams:start',
    'livestreams:stop',
    'stream-key:read'
  ])
  return as(`Basic ${Buffer.from(`acme:${key}`).toString('base64')}`)
}

const fields = (data: object): string[] => Object.keys(data).sort()
const started = ['id', 'ingest_server', 'meeting_id', 'name', 'playback_url', 'status', 'stream_key']

interface Seen {
  started: string[]
  active: string[]
  listed: string[]
}

/** The calls of the guide one after the other, as they stand there but for address and credentials. */
async function guide(t: Test, world: World): Promise<Seen> {
  const call = await basicClient(world)
  const path = `/v2/meetings/${world.meeting}`

  const start = await call('POST', `${path}/livestreams`, '{"name":"test-livestream"}', guideHeaders)
  t.equal(start.statusCode, 201, 'start')
  t.match(start.headers['content-type'], /^application\/json/)
  t.strictSame(fields(start.json()), ['data', 'success'])
  t.equal(start.json().success, true)
  t.match(start.json().data, { name: 'test-livestream', status: 'INVOKED', meeting_id: world.meeting })

  const active = await call('GET', `${path}/active-livestream`, undefined, guideHeaders)
  t.equal(active.statusCode, 200, 'active, with a content type and no body')
  t.match(active.json(), { success: true, data: { id: start.json().data.id, status: 'LIVE' } })

  const ofMeeting = await call('GET', `${path}/livestreams`, undefined, guideHeaders)
  t.equal(ofMeeting.statusCode, 200, "the meeting's livestreams")
  const all = await call('GET', '/v2/livestreams', undefined, guideHeaders)
  t.equal(all.statusCode, 200, 'all livestreams')
  const paging = { total_count: 1, start_offset: 1, end_offset: 1 }
  for (const { json } of [ofMeeting, all]) t.match(json(), { success: true, data: [{ status: 'LIVE' }], paging })

  const one = await call('GET', `/v2/livestreams/${start.json().data.id}`, undefined, guideHeaders)
  t.equal(one.statusCode, 200, 'one livestream')
  t.match(one.json(), { success: true, data: { livestream: { status: 'LIVE' }, sessions: Array }, paging: Object })

  const stop = await call('POST', `${path}/active-livestream/stop`, undefined, guideHeaders)
  t.equal(stop.statusCode, 200, 'stop, with a content type and no body')
  t.strictSame(stop.json(), { success: true, data: { message: 'Stopped live stream successfully' } })

  const bare = await call('POST', `${path}/livestreams`, undefined, guideHeaders)
  t.equal(bare.statusCode, 201, 'start, with a content type and no body')
  const none = await call('POST', `${path}/active-livestream/stop`, undefined, {
    ...guideHeaders,
    'content-length': '0'
  })
  t.equal(none.statusCode, 200, 'stop, with a length of 0')
  return {
    started: fields(start.json().data),
    active: fields(active.json().data),
    listed: fields(all.json().data[0])
  }
}

t.test("the calls of the vendor's guide work as they stand there, whichever contract the vendor follows", async t => {
  const seen: Partial<Record<'L1' | 'L2', Seen>> = {}
  for (const contract of ['L1', 'L2'] as const) {
    await t.test(contract, async t => {
      seen[contract] = await guide(t, await gateway(t, { simulator: { contract } }))
    })
  }
  const { L1, L2 } = seen
  t.strictSame(L1?.started, started, 'the answer to a start has the same fields')
  t.strictSame(L2?.started, started)
  // L1 has neither times nor `disabled`; nothing else sets them apart, and each name is the vendor's.
  const laterFields = ['created_at', 'disabled', 'updated_at']
  t.strictSame(L1?.active, started)
  t.strictSame(L2?.active, [...started, ...laterFields].sort())
  const listed = [...started.filter(name => name !== 'ingest_server' && name !== 'stream_key'), 'observed_at']
  t.strictSame(L1?.listed, listed.sort())
  t.strictSame(L2?.listed, [...listed, ...laterFields].sort())
})

t.test('meetings are made, read and changed with the words and codes of the vendor', async t => {
  const { asAcme } = await gateway(t)
  const body = { title: 'Board', live_stream_on_start: true, record_on_start: false, preferred_region: 'eu-central-1' }
  const made = await asAcme('POST', '/v2/meetings', body)
  t.equal(made.statusCode, 201)
  t.match(made.json(), { success: true, data: { ...body, id: String, status: 'ACTIVE', created_at: String } })
  const { id } = made.json().data

  const read = await asAcme('GET', `/v2/meetings/${id}`, undefined, guideHeaders)
  t.equal(read.statusCode, 200)
  t.strictSame(read.json().data, made.json().data)

  const changed = await asAcme('PATCH', `/v2/meetings/${id}`, { status: 'INACTIVE' })
  t.equal(changed.statusCode, 200)
  t.match(changed.json(), { success: true, data: { id, title: 'Board', status: 'INACTIVE' } })

  const replaced = await asAcme('PUT', `/v2/meetings/${id}`, { title: 'Council', persist_chat: true })
  t.equal(replaced.statusCode, 200)
  const { created_at, updated_at, ...whole } = replaced.json().data
  t.strictSame(
    whole,
    {
      id,
      title: 'Council',
      status: 'INACTIVE',
      persist_chat: true,
      summarize_on_end: false,
      record_on_start: false,
      live_stream_on_start: false
    },
    'what is left out is set back, and the status stays'
  )
  t.strictSame((await asAcme('GET', `/v2/meetings/${id}`)).json().data, replaced.json().data, 'and is read so at once')
  t.equal((await asAcme('PUT', `/v2/meetings/${id}`, { status: 'ACTIVE' })).statusCode, 400, 'PATCH sets the status')

  const list = await asAcme('GET', '/v2/meetings?page_no=1&per_page=1', undefined, guideHeaders)
  t.equal(list.statusCode, 200)
  t.match(list.json(), { success: true, data: [{ id: String }], paging: { total_count: 2, end_offset: 1 } })

  const bare = await asAcme('POST', '/v2/meetings', undefined, guideHeaders)
  t.equal(bare.statusCode, 201, 'every field is optional, and so is the body')
})

t.test('a client that knows only the vendor finds what it looks for in an error', async t => {
  const { asAcme, meeting } = await gateway(t)
  const reply = await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`, undefined, guideHeaders)
  t.equal(reply.statusCode, 404, 'nothing live is a 404, as clients of the vendor expect')
  t.match(reply.json(), { success: false, error: { code: 404, message: String } })
})
