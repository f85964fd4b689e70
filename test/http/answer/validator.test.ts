import { isUtf8 } from 'node:buffer'
import t from 'tap'
import { gateway } from '../../support/gateway.ts'
import fc, { runs } from '../../support/runner/properties.ts'

const { app, withKey, simulator } = await gateway(t, {
  config: { writeLimit: { calls: 100_000, seconds: 60, burst: 100_000 } }
})
const { key } = await withKey('acme', ['meetings:write'])
const created = () => simulator.journal.map(({ body }) => body)

/** A body for `POST /v2/meetings`, byte for byte. */
async function post(payload: string | Buffer, type = 'application/json') {
  const headers = { authorization: `Bearer ${key}`, 'content-type': type }
  const { statusCode, body } = await app.inject({ method: 'POST', url: '/v2/meetings', headers, payload })
  return { statusCode, error: JSON.parse(body).error }
}

t.test('a body is taken as it is: nothing is converted, trimmed, filled in or lost on its way', async t => {
  const bodies = [
    {},
    { title: null },
    { title: '' },
    { title: ' 7 ' },
    { title: '\u0000\r\n"\u{1f600}' },
    { live_stream_on_start: false, persist_chat: true, session_keep_alive_time_in_secs: 60.5 },
    { recording_config: { storage_config: null, dyte_bucket_config: { enabled: false } } },
    { ai_config: { transcription: { keywords: [] } } }
  ]
  for (const body of bodies) {
    t.equal((await post(JSON.stringify(body))).statusCode, 201)
    t.strictSame(JSON.parse(created().at(-1) ?? ''), body)
  }
  const before = created().length
  const others = [
    'persist_chat:"true"',
    'persist_chat:0',
    'title:7',
    'title:[]',
    'persist_chat:null',
    'preferred_region:""'
  ]
  for (const other of others) {
    const { statusCode, error } = await post(`{${other.replace(/^(\w+)/, '"$1"')}}`)
    t.equal(statusCode, 400, other)
    t.equal(error.details[0].field, `body.${other.split(':')[0]}`)
  }
  t.equal(created().length, before, 'and what is refused is not sent')
})

t.test('nothing at all is an empty body, as the examples of the vendor send it', async t => {
  t.equal((await post('')).statusCode, 201)
  t.equal(created().at(-1), '{}')
})

t.test('bytes that are not UTF-8 are a 400, and never changed into others', async t => {
  const before = created().length
  for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xc3], [0xf5, 0x80, 0x80, 0x80]]) {
    const { statusCode, error } = await post(
      Buffer.concat([Buffer.from('{"title":"'), Buffer.of(...bytes), Buffer.from('"}')])
    )
    t.equal(statusCode, 400)
    t.strictSame(error.details, [{ field: 'body', message: 'is not valid UTF-8' }])
  }
  t.equal(created().length, before)
})

t.test('a number or boolean in a query is written as JSON writes it; what is not is refused', async t => {
  const ask = async (url: string) => {
    const headers = { authorization: `Bearer ${reader.key}` }
    return (await app.inject({ method: 'GET', url, headers })).statusCode
  }
  const reader = await withKey('acme', ['meetings:read', 'livestreams:read'])
  for (const good of ['1', '25', '100']) t.equal(await ask(`/v2/meetings?per_page=${good}`), 200, good)
  const bad = [
    '',
    '0',
    '-1',
    '101',
    '2.5',
    '0x10',
    '1e1',
    '025',
    '%2025',
    '25%20',
    '+5',
    'true',
    'NaN',
    '1&per_page=2',
    '1'.repeat(400)
  ]
  for (const text of bad) t.equal(await ask(`/v2/meetings?per_page=${text}`), 400, text)
  for (const good of ['true', 'false']) t.equal(await ask(`/v2/livestreams?exclude_meetings=${good}`), 200, good)
  for (const text of ['', '1', '0', 'TRUE', 'yes', 'true%20'])
    t.equal(await ask(`/v2/livestreams?exclude_meetings=${text}`), 400, text)
  for (const text of ['%00', 'a%0ab', '%7f']) t.equal(await ask(`/v2/meetings?search=${text}`), 400, text)
})

t.test('a body that is no object is a 400 that says so', async t => {
  for (const text of ['null', ' null\n', '[]', '[{}]', '1', '"a"', 'true', '""']) {
    const { statusCode, error } = await post(text)
    t.equal(statusCode, 400, text)
    t.equal(error.details[0].field, 'body', text)
  }
})

t.test('bodies that were made to confuse are a 400, and none is sent on', async t => {
  const before = created().length
  const deep = (open: string, close: string) => open.repeat(10_000) + close.repeat(10_000)
  const confusing = [
    '{"__proto__":{"title":"a"}}',
    '{"title":"a","__proto__":null}',
    '{"\\u005f_proto__":{}}',
    '{"recording_config":{"__proto__":{"enabled":true}}}',
    '{"constructor":{"prototype":{"title":"a"}}}',
    '{"prototype":1}',
    '{"toString":1}',
    '{"hasOwnProperty":1}',
    `{"title":${deep('[', ']')}}`,
    `{"recording_config":${deep('[', ']')}}`,
    `${'{"recording_config":'.repeat(3_000)}1${'}'.repeat(3_000)}`,
    deep('[', ']'),
    '['.repeat(60_000),
    '{"title":"a","title":7}',
    '{"titel":1,"title":"a"}',
    '{}{}',
    '{"title":"a"}\u0000',
    "{'title':'a'}",
    '{"title":NaN}',
    '{"title":"a",}',
    '// no comment\n{}',
    ' '
  ]
  for (const text of confusing) t.equal((await post(text)).statusCode, 400, JSON.stringify(text.slice(0, 50)))
  t.equal(created().length, before)
})

t.test('the vendor gets the one that was checked of a field that stands twice', async t => {
  t.equal((await post('{"title":7,"title":"checked"}')).statusCode, 201)
  t.equal(created().at(-1), '{"title":"checked"}')
})

t.test('any JSON value at all is answered with a 400, the empty object with a 201', async t => {
  const property = fc.asyncProperty(fc.json(), async text => {
    const value: unknown = JSON.parse(text)
    const empty = typeof value === 'object' && value !== null && !Array.isArray(value) && !Object.keys(value).length
    const { statusCode } = await post(text)
    if (statusCode !== (empty ? 201 : 400)) throw new Error(`${statusCode} for ${text}`)
  })
  await t.resolves(fc.assert(property, { numRuns: runs(300) }))
})

t.test('damaged JSON is a 400 and never an error of the gateway', async t => {
  const whole = Buffer.from(
    '{"title":"Friday \\u00e9\\n","persist_chat":true,"recording_config":{"max_seconds":6e2,"file_name_prefix":null}}'
  )
  const at = fc.nat(whole.length - 1)
  const byte = fc.nat(255)
  const damaged = fc.oneof(
    at.map(end => whole.subarray(0, end + 1)),
    at.map(i => Buffer.concat([whole.subarray(0, i), whole.subarray(i + 1)])),
    fc.tuple(at, byte).map(([i, b]) => Buffer.concat([whole.subarray(0, i), Buffer.of(b), whole.subarray(i)])),
    fc.tuple(at, byte).map(([i, b]) => Buffer.from(whole).fill(b, i, i + 1)),
    fc.uint8Array({ minLength: 1, maxLength: 60 }).map(bytes => Buffer.from(bytes))
  )
  const property = fc.asyncProperty(damaged, async bytes => {
    const before = created().length
    // The prefix is not a string, so a body that is still JSON is refused as well: only a whole `title` would pass.
    const { statusCode, error } = await post(bytes)
    const said = error?.details?.[0]?.message
    const told = isUtf8(bytes)
      ? said === 'is not valid JSON' || isJson(bytes.toString())
      : said === 'is not valid UTF-8'
    if (statusCode !== 400 || !told || created().length !== before) throw new Error(`${statusCode} for ${bytes}`)
  })
  await t.resolves(fc.assert(property, { numRuns: runs(400) }))
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
