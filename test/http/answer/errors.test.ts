import t from 'tap'
import { gateway, type Reply } from '../../support/gateway.ts'
import { isEnvelope, postText } from '../../support/http/helper.ts'

const { asAcme, as, meeting, upstream } = await gateway(t)
const meetings = '/v2/meetings'

t.test('every refusal has the same envelope, whatever refused it', async t => {
  const nobody = as(null)
  const cases: [string, number, string, Promise<Reply>][] = [
    ['an address that is no address', 400, 'invalid_input', asAcme('GET', `${meetings}/%zz`)],
    ['the same outside of the API', 400, 'invalid_input', nobody('GET', '/%zz')],
    ['an id that is none', 400, 'invalid_input', asAcme('GET', `${meetings}/a.b`)],
    ['no key', 401, 'unauthorized', nobody('GET', meetings)],
    ['a path nobody knows, with a key', 404, 'not_found', asAcme('GET', '/v2/nothing')],
    ['a path nobody knows, without one', 401, 'unauthorized', nobody('GET', '/v2/nothing')],
    ['a path outside of the API', 404, 'not_found', nobody('GET', '/nothing')],
    ['a double slash', 404, 'not_found', nobody('GET', '//v2/meetings')],
    ['a method that the path does not have', 404, 'not_found', asAcme('DELETE', meetings)],
    ['an unknown meeting', 404, 'meeting_not_found', asAcme('GET', `${meetings}/unknown`)],
    ['an unknown livestream', 404, 'livestream_not_found', asAcme('GET', '/v2/livestreams/unknown')],
    ['a body of 64 KiB and a byte', 413, 'payload_too_large', postText(asAcme, meetings, quoted(64 * 1024 + 1))],
    ['a body of 64 KiB that is no object', 400, 'invalid_input', postText(asAcme, meetings, quoted(64 * 1024))],
    ['an id longer than any', 400, 'invalid_input', asAcme('GET', `${meetings}/${'a'.repeat(10_000)}`)],
    [
      'a body that is not JSON by its type',
      415,
      'unsupported_media_type',
      postText(asAcme, meetings, '{}', 'text/xml')
    ],
    ['a body without a type', 415, 'unsupported_media_type', asAcme('POST', meetings, '{}')],
    [
      'a header field that is not as it must be',
      400,
      'invalid_input',
      asAcme('POST', meetings, {}, { 'idempotency-key': '"' })
    ]
  ]
  for (const [what, status, type, call] of cases) {
    const reply = await call
    t.ok(isEnvelope(reply, status, type), `${what}: ${status} ${type}, not ${reply.statusCode} ${reply.body}`)
    t.equal(reply.headers['x-request-id'], reply.json().error.request_id, what)
  }
  t.strictSame(upstream(), [], 'and the vendor hears of none')
})

t.test('the limit of 64 KiB counts bytes, not characters', async t => {
  const inside = await postText(asAcme, meetings, `"${'é'.repeat(32 * 1024 - 1)}"`)
  const outside = await postText(asAcme, meetings, `"${'é'.repeat(32 * 1024)}"`)
  t.strictSame([inside.statusCode, outside.statusCode], [400, 413])
})

t.test('each detail names the field that is wrong, and says what it must be', async t => {
  const post = (body: object) => asAcme('POST', meetings, body)
  const start = (body: object) => asAcme('POST', `${meetings}/${meeting}/livestreams`, body)
  const cases: [Promise<Reply>, object[]][] = [
    [post({ titel: 'a' }), [{ field: 'body.titel', message: 'is not a known field' }]],
    [
      post({ titel: 'a', regoin: 'b' }),
      [
        { field: 'body.titel', message: 'is not a known field' },
        { field: 'body.regoin', message: 'is not a known field' }
      ]
    ],
    [post({ persist_chat: 'true' }), [{ field: 'body.persist_chat', message: 'must be boolean' }]],
    [post({ persist_chat: 1 }), [{ field: 'body.persist_chat', message: 'must be boolean' }]],
    [
      post({ session_keep_alive_time_in_secs: 59 }),
      [{ field: 'body.session_keep_alive_time_in_secs', message: 'must be >= 60' }]
    ],
    [
      post({ recording_config: { video_config: { codex: 'VP8' } } }),
      [{ field: 'body.recording_config.video_config.codex', message: 'is not a known field' }]
    ],
    [
      post({ recording_config: { dyte_bucket_config: {} } }),
      [{ field: 'body.recording_config.dyte_bucket_config.enabled', message: 'is missing' }]
    ],
    [start({ duration_seconds: 60 }), [{ field: 'body.duration_seconds', message: 'is not a known field' }]],
    [start([]), [{ field: 'body', message: 'must be object' }]],
    [asAcme('GET', `${meetings}?page=2`), [{ field: 'query.page', message: 'is not a known field' }]],
    [asAcme('GET', `${meetings}?page_no=0`), [{ field: 'query.page_no', message: 'must be >= 1' }]],
    [asAcme('GET', `${meetings}?per_page=101`), [{ field: 'query.per_page', message: 'must be <= 100' }]],
    [
      asAcme('GET', `${meetings}?start_time=yesterday`),
      [{ field: 'query.start_time', message: 'must be ISO 8601 with its zone, like 2026-11-20T09:30:00Z, or a day' }]
    ],
    [
      asAcme('GET', '/v2/livestreams?status=live'),
      [{ field: 'query.status', message: 'must be one of INVOKED, LIVE, IDLE, OFFLINE, ERRORED' }]
    ],
    [asAcme('GET', `${meetings}?page_no=two`), [{ field: 'query.page_no', message: 'must be integer' }]],
    [asAcme('GET', `${meetings}?start_time=2026-13-45`), [{ field: 'query.start_time', message: 'is not a time' }]],
    [
      asAcme('GET', `${meetings}?start_time=2026-02-02&end_time=2026-02-01`),
      [{ field: 'query.end_time', message: 'must not be before start_time' }]
    ],
    [
      asAcme('POST', `${meetings}/${meeting}/livestreams?notify=all`),
      [{ field: 'query.notify', message: 'is not a known field' }]
    ],
    [asAcme('GET', '/gateway/audit-events?limit=1001'), [{ field: 'query.limit', message: 'must be <= 100' }]],
    [asAcme('GET', `${meetings}/%zz`), [{ field: 'path', message: 'is not a valid address' }]],
    [postText(asAcme, meetings, '{"title":'), [{ field: 'body', message: 'is not valid JSON' }]],
    [
      asAcme('POST', meetings, {}, { 'idempotency-key': '"' }),
      [
        {
          field: 'header.idempotency-key',
          message: 'must be one string in quotes, or one token, of 1 to 255 characters'
        }
      ]
    ]
  ]
  for (const [call, details] of cases) {
    const reply = await call
    t.equal(reply.statusCode, 400, JSON.stringify(details))
    t.strictSame(reply.json().error.details, details)
  }
})

t.test('a field of two kinds that is neither is named once, with what it may be', async t => {
  const reply = await asAcme('POST', meetings, { title: 7 })
  t.equal(reply.statusCode, 400)
  t.strictSame(
    reply.json().error.details.map(({ field }: { field: string }) => field),
    ['body.title']
  )
})

t.test(
  'however much is wrong, and however long its name is, some of it is named, in answers of bounded size',
  async t => {
    const fields = Array.from({ length: 100 }, (_, i) => [`f${i}`, i])
    const many = (await asAcme('POST', meetings, Object.fromEntries(fields))).json().error.details
    t.ok(many.length > 0 && many.length <= 20, `${many.length} details`)
    t.ok(many.every(({ message }: { message: string }) => message === 'is not a known field'))
    const long = (await asAcme('POST', meetings, { ['a'.repeat(60_000)]: 1 })).json().error.details
    t.strictSame(long, [{ field: `body.${'a'.repeat(251)}`, message: 'is not a known field' }])
    const odd = (await asAcme('POST', meetings, { 'a/b~c': 1 })).json().error.details
    t.strictSame(odd, [{ field: 'body.a/b~c', message: 'is not a known field' }])
  }
)

t.test('a HEAD of something unknown has its status and no body', async t => {
  const head = await asAcme('HEAD', '/v2/nothing')
  t.strictSame([head.statusCode, head.body], [404, ''])
})

/** JSON text of so many bytes. */
function quoted(bytes: number): string {
  return `"${'a'.repeat(bytes - 2)}"`
}
