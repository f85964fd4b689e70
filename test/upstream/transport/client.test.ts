import { randomBytes } from 'node:crypto'
import dns from 'node:dns'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { Secret } from '../../../src/domain/values/secret.ts'
import { sentOnlyWhile } from '../../../src/domain/values/sending.ts'
import { UpstreamClient } from '../../../src/upstream/transport/client.ts'
import { clientOf, failureOf, nobody, rawVendor, vendor } from '../../support/upstream/vendor.ts'

const soon = (): AbortSignal => AbortSignal.timeout(60_000)
const get = (signal = soon()) => ({ method: 'GET', path: '/thing', signal }) as const
const post = (signal = soon()) => ({ method: 'POST', path: '/thing', body: { a: 1 }, signal }) as const

t.test('a call leaves with what it needs and nothing else, the credentials among it', async t => {
  const bodies: string[] = []
  const { url, requests } = await vendor(t, async (request, response) => {
    bodies.push((await request.toArray()).join(''))
    response.end('{"success":true}')
  })
  const authorization = new Secret('Basic bWFkZTp1cA==')
  const client = new UpstreamClient({ baseUrl: new URL(`${url}//`) })
  t.teardown(() => client.close())

  t.strictSame((await client.call({ ...get(), authorization })).body, { success: true })
  await client.call({ ...post(), authorization })
  await client.call({ method: 'POST', path: '/stop', signal: soon(), authorization })
  const [read, write, bare] = requests
  t.strictSame([read?.method, read?.url], ['GET', '/v2/thing'], 'slashes at the end of the address do not count')
  const common = { accept: 'application/json', 'user-agent': 'livegate', authorization: authorization.reveal() }
  const { host: _host, connection: _connection, ...headers } = read?.headers ?? {}
  t.strictSame(headers, common)
  t.match(write?.headers, { ...common, 'content-type': 'application/json' })
  t.equal(bare?.headers['content-type'], undefined, 'no body, no content type')
  t.strictSame(bodies, ['', '{"a":1}', ''])
})

t.test(
  'each status of the vendor is one failure of the catalogue, and a mutation says whether it happened',
  async t => {
    const expected: Record<number, [type: string, outcome: string]> = {
      300: ['upstream_malformed', 'unknown'],
      302: ['upstream_malformed', 'unknown'],
      304: ['upstream_malformed', 'unknown'],
      400: ['upstream_refused', 'failed'],
      401: ['upstream_credentials_refused', 'not_sent'],
      403: ['upstream_refused', 'failed'],
      404: ['upstream_refused', 'failed'],
      408: ['upstream_failed', 'unknown'],
      409: ['upstream_refused', 'failed'],
      422: ['upstream_refused', 'failed'],
      429: ['upstream_throttled', 'not_sent'],
      500: ['upstream_failed', 'unknown'],
      502: ['upstream_failed', 'unknown'],
      503: ['upstream_failed', 'unknown'],
      599: ['upstream_failed', 'unknown']
    }
    let next = 200
    const { url, requests } = await vendor(t, (_request, response) => {
      response.writeHead(next).end()
    })
    const client = clientOf(t, url)
    for (const [status, [type, outcome]] of Object.entries(expected)) {
      next = Number(status)
      t.match(await failureOf(client.call(post())), { type, outcome, upstreamStatus: next }, status)
      t.match(await failureOf(client.call(get())), { type, outcome: undefined }, `${status} of a read`)
    }
    t.equal(requests.length, 2 * Object.keys(expected).length, 'each was sent once')
    // None of these is a refusal of the vendor's own: somebody between has given up, and the vendor may have done it.
    for (next of [410, 413, 451, 499]) {
      t.match(await failureOf(client.call(post())), { type: 'upstream_malformed', outcome: 'unknown' }, `${next}`)
      t.match(
        await failureOf(client.call(get())),
        { type: 'upstream_refused', outcome: undefined },
        `${next} of a read`
      )
    }
    next = 409
    t.match(await failureOf(client.call(post(), [409])), { type: 'upstream_malformed', outcome: 'unknown' })
    next = 404
    for (const call of [get(), post()]) {
      const failure = await failureOf(client.call(call, [404]))
      const outcome = call.method === 'GET' ? undefined : 'unknown'
      t.match(failure, { type: 'upstream_malformed', outcome }, "a status alone is not the vendor's word")
    }
  }
)

t.test('the pause that the vendor asks for is passed on, within reason', async t => {
  const answers: [Record<string, string | string[]>, number][] = [
    [{ 'retry-after': '7' }, 7],
    [{}, 5],
    [{ 'retry-after': '0' }, 1],
    [{ 'retry-after': '99999' }, 3_600],
    [{ 'retry-after': '1000000000' }, 5],
    [{ 'retry-after': '-3' }, 5],
    [{ 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }, 5],
    [{ 'retry-after': ['3', '4'] }, 5]
  ]
  let headers: Record<string, string | string[]> = {}
  const { url } = await vendor(t, (_request, response) => {
    response.writeHead(429, headers).end()
  })
  const client = clientOf(t, url)
  for (const [sent, retryAfterSeconds] of answers) {
    headers = sent
    t.match(await failureOf(client.call(post())), { retryAfterSeconds }, JSON.stringify(sent))
  }
})

t.test('an answer that is larger than any of the vendor breaks off', async t => {
  const { url } = await vendor(t, (request, response) => {
    const size = request.method === 'GET' ? 1024 * 1024 : 1024 * 1024 + 1
    response.end(`"${'x'.repeat(size - 2)}"`)
  })
  const client = clientOf(t, url)
  t.equal(typeof (await client.call(get())).body, 'string', 'one of 1 MiB is read')
  t.match(await failureOf(client.call(post())), { type: 'upstream_malformed', outcome: 'unknown' })
})

t.test('a packed answer is not unpacked', async t => {
  const { url } = await vendor(t, (_request, response) => {
    response.setHeader('content-encoding', 'gzip').end(gzipSync('x'.repeat(50_000_000)))
  })
  t.strictSame((await clientOf(t, url).call(get())).body, undefined, 'nobody asked for it: it is not JSON')
})

t.test('bytes that are no answer, or no answer to the question, are the contract broken', async t => {
  const broken = {
    'not HTTP': 'SSH-2.0-OpenSSH_9.2\r\n',
    'a broken header': 'HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n',
    'two lengths': 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}}',
    'a broken chunk': 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n'
  }
  for (const [what, bytes] of Object.entries(broken)) {
    const { url } = await rawVendor(t, socket => socket.write(bytes))
    const client = clientOf(t, url)
    t.match(await failureOf(client.call(post())), { type: 'upstream_malformed', status: 502, outcome: 'unknown' }, what)
  }
})

t.test('a vendor that changes to another protocol has not answered', async t => {
  const switching = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'
  const { url } = await rawVendor(t, socket => socket.write(switching))
  t.match(await failureOf(clientOf(t, url).call(post())), { type: 'upstream_unreachable', outcome: 'unknown' })
})

t.test('a second answer to one call is never the answer to the next call', async t => {
  const json = (text: string): string => `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`
  const { url } = await rawVendor(t, (socket, received) => {
    socket.write(received.startsWith('POST') ? json('"first"') + json('"smuggled"') : json('"own"'))
  })
  const client = clientOf(t, url)
  t.equal((await client.call(post())).body, 'first')
  t.equal((await client.call(get())).body, 'own')
})

t.test('a vendor that hangs up leaves a mutation unknown; it is not sent again', async t => {
  const { url, requests } = await vendor(t, request => request.socket.destroy())
  t.match(await failureOf(clientOf(t, url).call(post())), { type: 'upstream_unreachable', outcome: 'unknown' })
  t.equal(requests.length, 1)
})

t.test('half an answer is none', async t => {
  const { url } = await rawVendor(t, socket => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"success"'))
  t.match(await failureOf(clientOf(t, url).call(post())), { type: 'upstream_unreachable', outcome: 'unknown' })
})

t.test('nothing was sent where nobody listens', async t => {
  const client = clientOf(t, await nobody(t))
  t.match(await failureOf(client.call(post())), { type: 'upstream_unreachable', outcome: 'not_sent' })
})

t.test('a name that leads nowhere, or only to places where nobody listens, was sent nothing', async t => {
  const { lookup } = dns
  t.teardown(() => Object.assign(dns, { lookup }))
  const places: Record<string, string[]> = { 'two.example': ['127.77.0.1', '127.77.0.2'], 'none.example': [] }
  type Answer = (error: Error | null, addresses?: { address: string; family: number }[]) => void
  Object.assign(dns, {
    lookup(name: string, options: object, answer: Answer) {
      const found = places[name]?.map(address => ({ address, family: 4 }))
      if (found === undefined) lookup(name, options, answer as never)
      else if (found.length > 0) answer(null, found)
      else answer(Object.assign(new Error(`no ${name}`), { code: 'ENOTFOUND' }))
    }
  })
  for (const name of Object.keys(places)) {
    const client = clientOf(t, await nobody(t, name))
    t.match(await failureOf(client.call(post())), { type: 'upstream_unreachable', outcome: 'not_sent' }, name)
  }
})

t.test('the signal bounds the whole call', async t => {
  let deadline = new AbortController()
  /** It comes when the vendor has the call, however long that takes. */
  const comes = (): void => deadline.abort(new DOMException('too late', 'TimeoutError'))
  const next = (): AbortSignal => {
    deadline = new AbortController()
    return deadline.signal
  }
  const silent = await vendor(t, comes)
  const client = clientOf(t, silent.url)
  const late = { type: 'upstream_too_late', status: 504 }
  t.match(await failureOf(client.call(post(next()))), { ...late, outcome: 'unknown' })
  t.match(await failureOf(client.call(get(next()))), { ...late, outcome: undefined }, 'a read')
  const half = await rawVendor(t, socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"success"', () => setTimeout(comes, 50))
  })
  t.match(await failureOf(clientOf(t, half.url).call(post(next()))), late, 'the body as well')
})

t.test('a call whose time is over before it begins is not sent', async t => {
  const { url, requests } = await vendor(t, (_request, response) => response.end('{}'))
  const client = clientOf(t, url)
  t.match(await failureOf(client.call(post(AbortSignal.abort()))), { type: 'upstream_too_late' })
  await client.call(get())
  t.strictSame(
    requests.map(({ method }) => method),
    ['GET']
  )
})

t.test('a mutation has a connection of its own, so that no late second answer can be taken for its own', async t => {
  let made = 0
  const { url } = await rawVendor(t, socket => {
    const body = JSON.stringify({ success: true, data: { id: `made-${++made}` } })
    const answer = `HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
    socket.write(answer)
    setTimeout(() => socket.writable && socket.write(answer), 2)
  })
  const client = clientOf(t, url, undefined, { keepAlive: false })
  for (let i = 1; i <= 20; i++) {
    const { body } = await client.call(post())
    t.match(body, { data: { id: `made-${i}` } })
  }
})

t.test("trouble with the vendor's answer is told without a byte of it", async t => {
  const canary = randomBytes(16).toString('hex')
  const { url } = await rawVendor(t, socket => {
    socket.end(`HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{"stream_key":"${canary}"}\r\n`)
  })
  const failure = await failureOf(clientOf(t, url).call(post()))
  t.match(failure, { type: 'upstream_malformed', outcome: 'unknown' })
  t.notMatch(inspect(failure, { depth: 10, showHidden: true }), canary)
})

t.test('a mutation that may not be sent any more when its connection stands leaves no byte', async t => {
  const { url, requests } = await vendor(t, (_request, response) => response.end('{"success":true}'))
  const client = clientOf(t, url, undefined, { keepAlive: false })
  let asked = 0
  const over = () => sentOnlyWhile(soon(), () => ++asked < 0)
  t.match(await failureOf(client.call(post(over()))), { type: 'upstream_too_late', outcome: 'not_sent' })
  t.equal(asked, 1)
  t.equal(requests.length, 0)
  t.equal((await client.call(post(sentOnlyWhile(soon(), () => true)))).status, 200)
  t.equal((await client.call(get(over()))).status, 200, 'a read changes nothing')
})
