import t from 'tap'
import { gateway } from '../support/gateway.ts'

const listed = ['https://app.example.com', 'http://localhost:5173']

/** Origins that only look like a listed one. */
const others = [
  'null',
  '*',
  '',
  'https://app.example.com.evil.example',
  'https://evil-app.example.com',
  'https://evilapp.example.com',
  'https://app.example.comevil.example',
  'https://app.example.com:443',
  'https://app.example.com:8443',
  'https://app.example.com/',
  'https://app.example.com/path',
  'https://app.example.com?',
  'https://app.example.com#',
  'https://app.example.com.',
  'https://app.example.com%00',
  'https://app.example.com@evil.example',
  'https://user@app.example.com',
  'https://app.example.com\\.evil.example',
  'https://app_example.com',
  'https://appXexample.com',
  'https://APP.example.com',
  'HTTPS://app.example.com',
  'http://app.example.com',
  'ftp://app.example.com',
  'app.example.com',
  '//app.example.com',
  'https:app.example.com',
  'https://example.com',
  'https://sub.app.example.com',
  'https://xn--pp-xka.example.com',
  'http://localhost',
  'http://localhost:5174',
  'http://localhost:51730',
  'https://localhost:5173',
  'http://127.0.0.1:5173',
  'http://[::1]:5173',
  'http://localhost.evil.example:5173',
  'file://',
  'https://app.example.com, https://evil.example',
  'https://app.example.com http://localhost:5173'
]

const { as, asAcme, meeting, upstream } = await gateway(t, { config: { corsOrigins: listed } })
const allowed = 'access-control-allow-origin'
const preflight = (origin: string, method = 'POST', path = `/v2/meetings/${meeting}/livestreams`) =>
  as(null)('OPTIONS', path, undefined, {
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': 'authorization,content-type'
  })

t.test('pages of a listed origin may call, ask and read what helps them', async t => {
  for (const origin of listed) {
    const asked = await preflight(origin)
    t.equal(asked.statusCode, 204)
    t.equal(asked.headers[allowed], origin)
    t.match(asked.headers['access-control-allow-headers'], /Authorization.*Content-Type/)
    for (const method of ['GET', 'POST', 'PUT', 'PATCH']) t.match(asked.headers['access-control-allow-methods'], method)
    t.match(asked.headers.vary, /Origin/)

    const reply = await asAcme('GET', '/v2/livestreams', undefined, { origin })
    t.equal(reply.headers[allowed], origin)
    for (const name of ['X-Request-Id', 'RateLimit', 'Retry-After']) {
      t.match(reply.headers['access-control-expose-headers'], name)
    }
    t.equal(reply.headers['access-control-allow-credentials'], undefined, 'no cookies, ever')
    const refused = await as(null)('GET', '/v2/livestreams', undefined, { origin })
    t.strictSame([refused.statusCode, refused.headers[allowed]], [401, origin], 'the page can read why it was refused')
  }
})

t.test('no other origin is allowed, however near it comes, and none is reflected', async t => {
  t.equal(others.length, 40)
  for (const origin of others) {
    const asked = await preflight(origin)
    const reply = await asAcme('GET', '/v2/livestreams', undefined, { origin })
    t.strictSame([asked.headers[allowed], reply.headers[allowed]], [undefined, undefined], JSON.stringify(origin))
    t.match(reply.headers.vary, /Origin/, 'no cache serves it to another origin')
  }
  t.equal((await asAcme('GET', '/v2/livestreams')).headers[allowed], undefined, 'nor is it said without being asked')
  t.match((await asAcme('GET', '/v2/livestreams')).headers.vary, /Origin/)
})

t.test('a page cannot write without asking first: what browsers send unasked is refused', async t => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '']) {
    const headers = { origin: 'https://evil.example', ...(type !== '' && { 'content-type': type }) }
    const reply = await asAcme('POST', '/v2/meetings', '{"title":"a"}', headers)
    t.equal(reply.statusCode, 415, type)
  }
  t.strictSame(upstream(), [])
})

t.test('without a list nobody is allowed', async t => {
  const alone = await gateway(t)
  for (const origin of [...listed, alone.url, 'null']) {
    const reply = await alone.asAcme('GET', '/v2/livestreams', undefined, { origin })
    t.equal(reply.headers[allowed], undefined)
    const asked = await alone.as(null)('OPTIONS', '/v2/livestreams', undefined, {
      origin,
      'access-control-request-method': 'POST'
    })
    t.strictSame([asked.statusCode, asked.headers[allowed]], [401, undefined])
  }
})
