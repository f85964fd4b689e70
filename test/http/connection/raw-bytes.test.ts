import t from 'tap'
import { gateway } from '../../support/gateway.ts'
import { rawSocket } from '../../support/http/helper.ts'

const { url, withKey, upstream } = await gateway(t)
const { key } = await withKey('acme', ['meetings:read'])
const head = `host: x\r\nauthorization: Bearer ${key}\r\n`

/** Answer of the gateway to these bytes, as a status and a type; the socket is closed after it. */
async function answerTo(bytes: string): Promise<[number, string]> {
  const socket = await rawSocket(url)
  socket.write(bytes)
  const { statusCode, headers, json } = await socket.answer()
  socket.destroy()
  const { success, error } = json()
  if (success || error.code !== statusCode || headers.connection !== 'close') throw new Error(`no envelope: ${error}`)
  return [statusCode, error.type]
}

t.test('bytes that are no HTTP request are refused in the envelope, and the connection ends', async t => {
  const requests: [string, string][] = [
    ['no HTTP at all', '\u0000\u0001\u0002\r\n\r\n'],
    ['a TLS greeting', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000'],
    ['an unknown method', `BREW /v2/meetings HTTP/1.1\r\n${head}\r\n`],
    ['no version', '/v2/meetings\r\n\r\n'],
    ['a version of the future', `GET /v2/meetings HTTP/9.1\r\n${head}\r\n`],
    ['a header without a colon', `GET /v2/meetings HTTP/1.1\r\n${head}broken\r\n\r\n`],
    ['a NUL in a header', `GET /v2/meetings HTTP/1.1\r\n${head}x-a: a\u0000b\r\n\r\n`],
    ['a space before the colon', `GET /v2/meetings HTTP/1.1\r\nhost: x\r\nauthorization : Bearer ${key}\r\n\r\n`],
    ['a folded header', `GET /v2/meetings HTTP/1.1\r\nhost: x\r\n folded: y\r\n\r\n`],
    ['a space in the address', `GET /v2/meet ings HTTP/1.1\r\n${head}\r\n`],
    ['a control character in the address', `GET /v2/meet\u0007ings HTTP/1.1\r\n${head}\r\n`],
    ['two lengths', `POST /v2/meetings HTTP/1.1\r\n${head}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`],
    ['an odd length', `POST /v2/meetings HTTP/1.1\r\n${head}content-length: +2\r\n\r\n{}`],
    [
      'a length and chunks',
      `POST /v2/meetings HTTP/1.1\r\n${head}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}`
    ],
    ['an unknown transfer coding', `POST /v2/meetings HTTP/1.1\r\n${head}transfer-encoding: xchunked\r\n\r\n{}`]
  ]
  for (const [what, bytes] of requests) t.strictSame(await answerTo(bytes), [400, 'invalid_input'], what)
  t.strictSame(upstream(), [])
})

t.test('header fields that are too large are a 431', async t => {
  const large = `GET /v2/meetings HTTP/1.1\r\n${head}x-large: ${'a'.repeat(17_000)}\r\n\r\n`
  t.strictSame(await answerTo(large), [431, 'headers_too_large'])
})

t.test('a client that is gone before it has said anything harms nobody', async t => {
  for (const bytes of ['', 'GET /v2/meetings HT', `POST /v2/meetings HTTP/1.1\r\n${head}content-length: 9\r\n\r\n{`]) {
    const socket = await rawSocket(url)
    socket.write(bytes)
    socket.destroy()
  }
  const socket = await rawSocket(url)
  socket.write(`GET /livez HTTP/1.1\r\nhost: x\r\n\r\n`)
  t.equal((await socket.answer()).statusCode, 200)
  socket.destroy()
})
