import { deepStrictEqual } from 'node:assert/strict'
import t from 'tap'
import { UpstreamMalformed } from '../../../src/domain/refusals/failures.ts'
import {
  readActive,
  readLivestream,
  readLivestreamList,
  readMessage,
  readStarted
} from '../../../src/upstream/contract/contract.ts'
import { readLivestreamWithSessions } from '../../../src/upstream/contract/contract-livestreams.ts'
import { readMeeting } from '../../../src/upstream/contract/contract-meetings.ts'
import { pageOf } from '../../../src/upstream/contract/figures.ts'
import fc, { runs } from '../../support/runner/properties.ts'

const id = '2b7f6c1e-88a1-4c8f-9a3d-0e5b1c2d3f04'
const meeting_id = '7f0d3c52-1a54-4f5e-9c0e-3b6a5d6b7a01'
const playback_url = 'https://playback.example/hls/stream.m3u8'
const stamps = { created_at: '2023-07-20T10:00:00.000Z', updated_at: '2023-07-20T10:05:00.000Z' }
const sending = { ingest_server: 'rtmps://ingest.example:443/app/', stream_key: 'sk_EXAMPLE' }
const livestream = { id, name: 'friday-show', status: 'LIVE', meeting_id, playback_url, disabled: false, ...stamps }
const session = {
  id: 'c1d2e3f4-0a1b-4c2d-8e3f-112233445566',
  livestream_id: id,
  err_message: null,
  invoked_time: '2023-07-20T10:00:00.000Z',
  started_time: '2023-07-20T10:00:07.000Z',
  stopped_time: null,
  ...stamps,
  ingest_seconds: 118,
  viewer_seconds: 116.116
}
const paging = { total_count: 12, start_offset: 11, end_offset: 12 }
/** Numbers that JSON has, but no statistic. */
const wrongFigures = [-1, -0.5, 1e308, 1_000_000_001, Number.NaN, Number.POSITIVE_INFINITY]
const success = (data: unknown, rest = {}): object => ({ success: true, data, ...rest })

t.test('the answer to a start is read in both contracts', async t => {
  const l1 = { status: 'OFFLINE', name: null, meeting_id, id, playback_url, ...sending }
  t.strictSame(readLivestream(success(l1)), l1)
  const l2 = { status: 'INVOKED', id, playback_url, ...sending }
  t.strictSame(readLivestream(success(l2)), l2, 'five fields, no meeting and no name')
})

t.test('an active livestream is read in both contracts, with and without its key', async t => {
  const l1 = { id, status: 'LIVE', name: null, meeting_id, playback_url, ...sending }
  t.strictSame(readLivestream(success({ ...l1, ingest_seconds: 61.5, viewer_seconds: 0 })), l1, 'L1')
  t.strictSame(readLivestream(success({ ...livestream, ...sending })), { ...livestream, ...sending }, "L2's schema")
  t.strictSame(readLivestream(success(livestream)), livestream, "L2's example")
})

t.test('a livestream says that an encoder sends its video by one word alone, which no schema has', async t => {
  t.strictSame(readLivestream(success({ ...livestream, manual_ingest: true })), { ...livestream, manual_ingest: true })
  for (const other of [false, null, 'true', {}])
    t.strictSame(readLivestream(success({ ...livestream, manual_ingest: other })), livestream)
})

t.test('a livestream with its runs is read in every published form, with paging in either place', async t => {
  const example = readLivestreamWithSessions(success({ livestream, sessions: [session] }, { paging }))
  t.strictSame(example, { livestream, sessions: [session], paging }, 'example: a list, paging beside the data')
  const schema = readLivestreamWithSessions(success({ livestream, session, paging }))
  t.strictSame(schema, example, 'schema: one object, paging in the data')
  t.strictSame(readLivestreamWithSessions(success({ livestream, sessions: session, paging })), example)
  t.strictSame(readLivestreamWithSessions(success({ livestream, session: [session] }, { paging })), example)
})

t.test('a livestream that never ran has no runs, however the vendor says so', async t => {
  const none = { livestream, sessions: [], paging: { total_count: 0, start_offset: 0, end_offset: 0 } }
  t.strictSame(readLivestreamWithSessions(success({ livestream, sessions: [] })), none, 'empty list')
  t.strictSame(readLivestreamWithSessions(success({ livestream, session: null })), none, 'null')
  t.strictSame(readLivestreamWithSessions(success({ livestream })), none, 'nothing')
  t.strictSame(readLivestreamWithSessions(success(livestream)), none, 'L1 knows no runs')
})

t.test('paging that the vendor left out is counted', async t => {
  const { paging } = readLivestreamWithSessions(success({ livestream, sessions: [session, session] }))
  t.strictSame(paging, { total_count: 2, start_offset: 1, end_offset: 2 })
})

t.test('a word where a yes or no belongs, and figures in quotes, become what they mean', async t => {
  const disabled = (value: unknown) => readLivestream(success({ ...livestream, disabled: value })).disabled
  t.strictSame([true, 'true', false, 'false', null].map(disabled), [true, true, false, false, undefined])
  const quoted = { ...session, ingest_seconds: '118', viewer_seconds: '116.116' }
  t.strictSame(readLivestreamWithSessions(success({ livestream, sessions: [quoted] })).sessions, [session])
})

t.test('a figure that is none, or out of all bounds, is left out and keeps nothing else from being read', async t => {
  const none = [...wrongFigures, 'soon', '', '1e999', '0x10', '-1', '1000000001', true, [], {}, null]
  const { ingest_seconds: _ingest, viewer_seconds: _viewer, ...rest } = session
  for (const figure of none) {
    const body = success({ livestream, sessions: [{ ...session, ingest_seconds: figure, viewer_seconds: figure }] })
    t.strictSame(
      readLivestreamWithSessions(body),
      { livestream, sessions: [rest], paging: pageOf([1]) },
      String(figure)
    )
    const meeting = readMeeting(success({ id: meeting_id, session_keep_alive_time_in_secs: figure }))
    t.strictSame(meeting, { id: meeting_id }, `${figure} of a meeting`)
  }
  for (const figure of [0, 0.5, 1_000_000_000, '1000000000', '0.25']) {
    const body = success({ livestream, sessions: [{ ...session, ingest_seconds: figure }] })
    t.equal(readLivestreamWithSessions(body).sessions[0]?.ingest_seconds, Number(figure))
  }
})

t.test('paging that is none is counted instead', async t => {
  for (const figure of wrongFigures) {
    const body = success({ livestream, sessions: [session] }, { paging: { ...paging, total_count: figure } })
    t.strictSame(readLivestreamWithSessions(body).paging, pageOf([1]), String(figure))
    t.strictSame(readLivestreamList(success([livestream], { paging: { ...paging, total_count: figure } })), {
      livestreams: [livestream],
      unread: [],
      form: 'many'
    })
  }
})

t.test('an address that is no web address is left out', async t => {
  const { playback_url: _url, ...rest } = livestream
  for (const url of [
    'javascript:alert(1)',
    'file:///etc/passwd',
    'rtmps://x/y',
    '//x/y',
    'x',
    '',
    'http://',
    'data:,x'
  ])
    t.strictSame(readLivestream(success({ ...livestream, playback_url: url })), rest, url)
  for (const url of ['http://x/y.m3u8', 'HTTPS://X/y'])
    t.equal(readLivestream(success({ ...livestream, playback_url: url })).playback_url, url)
  t.equal(readLivestream(success({ ...livestream, playback_url: null })).playback_url, null)
})

t.test(
  'a started livestream is INVOKED when the answer does not say what it is, or says what it was before',
  async t => {
    for (const data of [{ id }, { id, status: null }])
      t.strictSame(readStarted(success(data)), { id, status: 'INVOKED' })
    for (const status of ['IDLE', 'OFFLINE', 'ERRORED']) t.equal(readStarted(success({ id, status })).status, 'INVOKED')
    for (const status of ['LIVE', 'STARTING']) t.equal(readStarted(success({ id, status })).status, status)
    for (const data of [{ status: 'LIVE' }, { id, status: 7 }, { id, status: '' }, null, {}])
      t.throws(() => readStarted(success(data)), UpstreamMalformed, JSON.stringify(data))
    t.throws(() => readLivestream(success({ id })), UpstreamMalformed, 'elsewhere the status is what is asked for')
  }
)

t.test('a success that shows nothing means that nothing is active, and no other answer does', async t => {
  for (const body of [success(null), success({}), { success: true }, { success: true, message: 'none' }])
    t.equal(readActive(body), null, JSON.stringify(body))
  t.strictSame(readActive(success(livestream)), livestream)
  const edge = { success: true, errors: [], messages: [], result: null }
  for (const body of [
    {},
    { data: null },
    { success: false, data: null },
    success([]),
    success(''),
    edge,
    null,
    undefined
  ])
    t.throws(() => readActive(body), UpstreamMalformed, JSON.stringify(body))
})

t.test('a meeting keeps its documented fields', async t => {
  const meeting = { id: meeting_id, title: null, preferred_region: null, status: 'ACTIVE', is_large: false, ...stamps }
  const flags = { live_stream_on_start: true, record_on_start: null, persist_chat: false, summarize_on_end: true }
  t.match(readMeeting(success({ ...meeting, ...flags })), { ...meeting, ...flags })
  t.strictSame(readMeeting(success({ id: meeting_id, is_large: null })), { id: meeting_id }, 'null where none belongs')
})

t.test("a run's words on its failure hold neither a stream key nor an address", async t => {
  const said = (err_message: unknown) =>
    readLivestreamWithSessions(success({ livestream, sessions: [{ ...session, err_message }] })).sessions[0]
      ?.err_message
  const key = '6f1c0d9ab27e4c55a8e0f3d2'
  const { ingest_server } = sending
  t.equal(said(`publishing to ${ingest_server}${key} failed`), 'publishing to … failed')
  t.equal(said(`no encoder for ${key}`), 'no encoder for …')
  t.equal(said(`stream_key: ${key} is in use`), 'stream_… is in use')
  t.equal(said(null), null)
  t.equal(said(undefined), undefined)
  t.equal(said(''), '')
  for (const harmless of ['no encoder', 'ingest timed out after 30 s']) t.equal(said(harmless), harmless)
})

t.test('fields that the vendor adds never come through', async t => {
  const storage_config = { type: 'aws', access_key: 'AK_EXAMPLE', secret: 'EXAMPLE', bucket: 'b' }
  const extra = {
    org_id: 'ORG_EXAMPLE',
    organization_id: 'ORG_EXAMPLE',
    recording_config: { storage_config },
    ai_config: {},
    tomorrow: { nested: [1] }
  }
  t.strictSame(readLivestream(success({ ...livestream, ...extra }, extra)), livestream)
  t.strictSame(readMeeting(success({ id: meeting_id, ...extra }, extra)), { id: meeting_id })
  const body = success({ livestream: { ...livestream, ...extra }, sessions: [{ ...session, ...extra }], ...extra })
  const read = readLivestreamWithSessions(body)
  t.strictSame(read.livestream, livestream)
  t.strictSame(read.sessions, [session])
})

t.test('another status word than those of the contract passes as it is', async t => {
  t.equal(readLivestream(success({ ...livestream, status: 'PAUSED' })).status, 'PAUSED')
})

const readers = {
  readLivestream,
  readMeeting,
  readMessage,
  readStarted
}

t.test('every reader refuses an answer that is not a success of the right shape', async t => {
  const wrong: Record<string, unknown> = {
    'no JSON': undefined,
    null: null,
    'no data': { success: true },
    'null data': success(null),
    'a list': success([livestream]),
    'an empty list': success([]),
    text: success('done'),
    'a failure with status 200': { success: false, data: { ...livestream, message: 'no', livestream } },
    "Cloudflare's envelope": { success: true, errors: [], messages: [], result: livestream }
  }
  for (const [name, read] of Object.entries(readers)) {
    for (const [what, body] of Object.entries(wrong)) t.throws(() => read(body), UpstreamMalformed, `${name}: ${what}`)
  }
  t.throws(() => readLivestream(success({ ...livestream, id: '' })), UpstreamMalformed, 'an empty id')
  t.throws(() => readLivestream(success({ ...livestream, id: 7 })), UpstreamMalformed, 'an id that is a number')
  t.throws(() => readMessage(success({ message: 7 })), UpstreamMalformed, 'a message that is a number')
})

t.test(
  'no JSON value makes a reader throw anything but UpstreamMalformed, and what is read can be sent on',
  async t => {
    const value = fc.jsonValue({ maxDepth: 2 })
    const near = (real: object): fc.Arbitrary<object> =>
      fc
        .record({ field: fc.constantFrom('extra', ...Object.keys(real)), value: fc.oneof(value, fc.string()) })
        .map(({ field, value }) => ({ ...real, [field]: value }))
    const full = { ...livestream, ...sending }
    const whole = fc.record({ livestream: near(full), sessions: fc.array(near(session)), paging: near(paging) })
    const data = fc.oneof(near(full), whole, near({ id: meeting_id, title: 'x', is_large: true, ...stamps }), value)
    const body = fc.oneof(
      value,
      data.map(one => success(one)),
      data.map(one => success(one, { paging }))
    )
    fc.assert(
      fc.property(body, any => {
        for (const read of [readLivestreamList, ...Object.values(readers)]) {
          try {
            const result = read(JSON.parse(JSON.stringify(any)))
            if (result !== undefined) deepStrictEqual(JSON.parse(JSON.stringify(result)), result)
          } catch (error) {
            if (!(error instanceof UpstreamMalformed)) throw error
          }
        }
      }),
      { numRuns: runs(3_000) }
    )
    t.pass('3,000 values, each by every reader')
  }
)
