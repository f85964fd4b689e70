import t from 'tap'
import { gateway, type Reply } from '../../support/gateway.ts'
import { isEnvelope, rawSocket } from '../../support/http/helper.ts'

const page = 'https://app.example.com'
const world = await gateway(t, { config: { corsOrigins: [page] } })
const { url, withKey, upstream, asAcme, meeting, events, simulator } = world
const { key } = await withKey('acme', ['livestreams:read', 'livestreams:start', 'livestreams:stop'])
const bearer = `authorization: Bearer ${key}\r\n`
const ours = /^[\w-]{1,64}$/

/** The answer to these bytes, with nothing else on the connection. */
async function answerTo(bytes: string): Promise<Reply> {
  const socket = await rawSocket(url)
  socket.write(bytes)
  const reply = await socket.answer()
  socket.destroy()
  return reply
}

t.test(
  'the answer to an odd request is ours, whatever is odd: in the envelope, with the id of the request',
  async t => {
    const requests: [what: string, bytes: string, status: number, type: string, field?: string][] = [
      ['no Host', `GET /v2/meetings HTTP/1.1\r\n${bearer}\r\n`, 400, 'invalid_input', 'headers.host'],
      [
        'two Hosts',
        `GET /v2/meetings HTTP/1.1\r\nhost: x\r\nHost: y\r\n${bearer}\r\n`,
        400,
        'invalid_input',
        'headers.host'
      ],
      ['no Host, no route', 'GET /nothing HTTP/1.1\r\n\r\n', 400, 'invalid_input', 'headers.host'],
      [
        'an odd Expect',
        `GET /v2/meetings HTTP/1.1\r\nhost: x\r\nexpect: tea\r\n${bearer}\r\n`,
        417,
        'expectation_failed'
      ],
      [
        'two expectations',
        `POST /v2/meetings HTTP/1.1\r\nhost: x\r\nexpect: 100-continue, tea\r\ncontent-length: 2\r\n\r\n{}`,
        417,
        'expectation_failed'
      ],
      ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n', 400, 'invalid_input'],
      ['a broken escape', `GET /%zz HTTP/1.1\r\nhost: x\r\n${bearer}\r\n`, 400, 'invalid_input', 'path'],
      ['one behind a key', `GET /v2/meetings/%zz HTTP/1.1\r\nhost: x\r\n${bearer}\r\n`, 400, 'invalid_input', 'path'],
      ['TRACE', 'TRACE / HTTP/1.1\r\nhost: x\r\n\r\n', 404, 'not_found'],
      ['a star', 'GET * HTTP/1.1\r\nhost: x\r\n\r\n', 404, 'not_found'],
      ['another protocol', `GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n`, 404, 'not_found']
    ]
    for (const [what, bytes, status, type, field] of requests) {
      const reply = await answerTo(bytes)
      t.ok(isEnvelope(reply, status, type), `${what}: ${reply.body}`)
      const { error } = reply.json()
      t.match(error.request_id, ours, what)
      t.equal(reply.headers['x-request-id'], error.request_id, what)
      if (field !== undefined) t.equal(error.details[0].field, field, what)
    }
    t.strictSame(upstream(), [])
  }
)

t.test(
  'an answer before routing has the fields for pages and browsers, and takes over the id of the request',
  async t => {
    for (const bytes of ['GET /%zz HTTP/1.1\r\nhost: x', 'GET /v2/meetings HTTP/1.1\r\nx-a: b']) {
      const { headers, json } = await answerTo(`${bytes}\r\norigin: ${page}\r\nx-request-id: mine-1\r\n\r\n`)
      t.equal(headers['access-control-allow-origin'], page, bytes)
      t.equal(headers['x-content-type-options'], 'nosniff', bytes)
      t.strictSame([headers['x-request-id'], json().error.request_id], ['mine-1', 'mine-1'], bytes)
    }
  }
)

t.test('a stop is a stop, whatever is expected of it', async t => {
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const path = `/v2/meetings/${meeting}/active-livestream/stop`
  const { statusCode } = await answerTo(`POST ${path} HTTP/1.1\r\nhost: x\r\nexpect: tea\r\n${bearer}\r\n`)
  t.equal(statusCode, 200)
  t.equal(simulator.livestreams()[0]?.status, 'IDLE')
})

t.test('HTTP/1.0 has no Host', async t => {
  const { statusCode } = await answerTo(`GET /livez HTTP/1.0\r\n\r\n`)
  t.equal(statusCode, 200)
})

t.test('OPTIONS says what an address allows, with and without a key, a Host or an origin', async t => {
  const asked: [line: string, allow: string][] = [
    ['OPTIONS / HTTP/1.0\r\n', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
    ['OPTIONS * HTTP/1.1\r\nhost: x\r\n', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
    ['OPTIONS /nothing HTTP/1.1\r\nhost: x\r\n', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
    ['OPTIONS /livez HTTP/1.1\r\nhost: x\r\n', 'GET, HEAD, OPTIONS'],
    [`OPTIONS /v2/meetings?x=1 HTTP/1.1\r\nhost: x\r\n${bearer}`, 'GET, HEAD, POST, OPTIONS'],
    ['OPTIONS /v2/meetings/some-id/livestreams HTTP/1.1\r\nhost: x\r\n', 'GET, HEAD, POST, OPTIONS'],
    [`OPTIONS /v2/meetings HTTP/1.1\r\nhost: x\r\norigin: ${page}\r\n`, 'GET, HEAD, POST, OPTIONS'],
    ['OPTIONS /v2/meetings HTTP/1.1\r\nhost: x\r\naccess-control-request-method: GET\r\n', 'GET, HEAD, POST, OPTIONS']
  ]
  for (const [line, allow] of asked) {
    const { statusCode, headers, body } = await answerTo(`${line}\r\n`)
    t.strictSame(
      [statusCode, String(headers.allow).split(', ').sort(), body],
      [204, allow.split(', ').sort(), ''],
      line
    )
    t.match(headers['x-request-id'], ours, line)
  }
})

t.test('a caller without a key is counted with all of these', async t => {
  const { url } = await gateway(t, { config: { addressLimit: { calls: 3, seconds: 60, burst: 3 } } })
  const socket = await rawSocket(url)
  const statuses: number[] = []
  for (const line of ['OPTIONS / HTTP/1.1\r\nhost: x', 'GET / HTTP/1.1', 'GET / HTTP/1.1\r\nhost: x\r\nexpect: tea']) {
    socket.write(`${line}\r\n\r\n`)
    statuses.push((await socket.answer()).statusCode)
    socket.write(`${line}\r\n\r\n`)
    statuses.push((await socket.answer()).statusCode)
  }
  t.strictSame(statuses, [204, 204, 400, 429, 429, 429])
})

t.test('all of them that are refused are on record', async t => {
  const id = 'odd-and-on-record'
  await answerTo(`GET /v2/meetings HTTP/1.1\r\nx-request-id: ${id}\r\n\r\n`)
  const found = (await events()).filter(({ metadata }) => metadata.correlation_uid === id)
  t.equal(found.length, 1)
})
