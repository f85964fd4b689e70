import t from 'tap'
import { gateway } from '../../support/gateway.ts'

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
    for (const name of ['X-Request-Id', 'RateLimit', 'Retry-After', 'Cache-Status', 'Age']) {
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

t.test('a preflight allows the fields that it asks for, but none that would say where a call comes from', async t => {
  const origin = listed[0] ?? ''
  const allowedFor = async (asked: string): Promise<string> => {
    const headers = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': asked }
    const reply = await as(null)('OPTIONS', `/v2/meetings/${meeting}/livestreams`, undefined, headers)
    t.match(reply.headers, { 'access-control-max-age': '7200', vary: /Origin/ })
    t.match(reply.headers.vary, /Access-Control-Request-Headers/)
    return String(reply.headers['access-control-allow-headers'])
  }
  const usual = 'Authorization, Content-Type, Idempotency-Key, X-Request-Id'
  t.equal(await allowedFor('authorization'), usual)
  t.equal(
    await allowedFor('x-stainless-lang,api-version, traceparent'),
    `${usual}, x-stainless-lang, api-version, traceparent`
  )
  for (const name of [
    'cookie',
    'Forwarded',
    'x-forwarded-for',
    'X-Forwarded-Host',
    'x-real-ip',
    'a b',
    'a(b',
    '<x>',
    ''
  ])
    t.equal(await allowedFor(name), usual, name)
  t.equal(await allowedFor(Array.from({ length: 65 }, (_, i) => `x-${i}`).join(',')), usual, 'too many')
  t.equal(await allowedFor('x'.repeat(2_049)), usual, 'too long')
})

t.test('an answer to what is no path has the fields too', async t => {
  for (const origin of listed) {
    const reply = await as(null)('GET', '/v2/meetings/%zz', undefined, { origin })
    t.strictSame([reply.statusCode, reply.headers[allowed]], [400, origin])
    t.match(reply.headers['access-control-expose-headers'], 'X-Request-Id')
  }
  const refused = await as(null)('GET', '/v2/meetings/%zz', undefined, { origin: 'https://evil.example' })
  t.equal(refused.headers[allowed], undefined)
})

t.test('preflights have a limit of their own, ten times as large, and that of a stop is never refused', async t => {
  const config = { corsOrigins: listed, addressLimit: { calls: 2, seconds: 60, burst: 2 } }
  const world = await gateway(t, { config })
  const ask = (path: string) =>
    world.as(null)('OPTIONS', path, undefined, { origin: listed[0] ?? '', 'access-control-request-method': 'POST' })
  const path = `/v2/meetings/${world.meeting}`
  const statuses: number[] = []
  for (let i = 0; i < 22; i++) statuses.push((await ask(`${path}/livestreams`)).statusCode)
  t.strictSame(statuses, [...Array(20).fill(204), 429, 429])
  for (const stop of [`${path}/active-livestream/stop`, `${path}/active-livestream/stop/`])
    t.equal((await ask(stop)).statusCode, 204)
  t.equal((await world.as(null)('GET', '/v2/meetings')).statusCode, 401, 'and what they use up is no call of a page')
})

t.test('a page of an origin that is not listed is told of once', async t => {
  const world = await gateway(t, { config: { corsOrigins: listed } })
  const from = (origin: string) => world.asAcme('GET', '/v2/livestreams', undefined, { origin })
  const told = () =>
    world.logs().match(/"origin":"[^"]*","msg":"a page called whose origin is not in LIVEGATE_CORS_ORIGINS"/g)
  for (const origin of [...listed, world.url]) await from(origin)
  t.equal(told(), null)
  for (let i = 0; i < 3; i++) await from('https://evil.example')
  t.equal(told()?.length, 1)
  for (let i = 0; i < 200; i++) await from(`https://evil-${i}.example`)
  t.equal(told()?.length, 100, 'and so many of them at most')
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
    t.strictSame([asked.statusCode, asked.headers[allowed]], [204, undefined])
  }
})
