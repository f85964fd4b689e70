import t from 'tap'
import { type Client, gateway } from '../../support/gateway.ts'

const pages = ['/docs', '/docs/', '/docs/static/index.html', '/docs/json', '/docs/yaml', '/openapi.json']
const statuses = async (call: Client) => Promise.all(pages.map(async page => (await call('GET', page)).statusCode))

t.test('the documentation is open when it is public', async t => {
  const { as } = await gateway(t, { config: { docs: 'public' } })
  t.strictSame(await statuses(as(null)), [200, 200, 302, 200, 200, 200])
  t.match((await as(null)('GET', '/docs')).body, '<title>Livegate</title>')
})

t.test('the document is made once: it comes zipped to who takes that, and not at all to who has it', async t => {
  const { as } = await gateway(t)
  const ask = (path: string, headers: Record<string, string> = {}) => as(null)('GET', path, undefined, headers)
  const plain = await ask('/openapi.json', { 'accept-encoding': 'identity' })
  t.match(plain.headers, { 'content-type': /^application\/json/, vary: /Accept-Encoding/, etag: /^"[\w-]{22}"$/ })
  t.equal(plain.headers['content-encoding'], undefined)
  const { servers, ...document } = plain.json()
  const { servers: fromPage, ...same } = (await ask('/docs/json')).json()
  t.strictSame(same, document)
  t.match(
    [servers, fromPage],
    [[{ url: '.' }], [{ url: '..' }]],
    'each says where the operations are, seen from itself'
  )
  t.match((await ask('/docs/yaml')).headers, { 'content-type': /^application\/x-yaml/, etag: /^"[\w-]{22}"$/ })
  for (const accepted of ['gzip', 'br, gzip;q=0.5', 'deflate,GZIP']) {
    const { headers } = await ask('/openapi.json', { 'accept-encoding': accepted })
    t.match(headers, { 'content-encoding': 'gzip', etag: /^"[\w-]{22}-gzip"$/ }, accepted)
    t.ok(Number(headers['content-length']) < plain.body.length / 5)
  }
  for (const accepted of ['gzip;q=0', 'gzip;q=0.0, br', 'xgzip', 'br'])
    t.equal(
      (await ask('/openapi.json', { 'accept-encoding': accepted })).headers['content-encoding'],
      undefined,
      accepted
    )

  const etag = String(plain.headers.etag)
  for (const known of [etag, `"x", W/${etag}`, '*']) {
    const { statusCode, body } = await ask('/openapi.json', { 'accept-encoding': 'identity', 'if-none-match': known })
    t.strictSame([statusCode, body], [304, ''], known)
  }
  t.equal((await ask('/openapi.json', { 'accept-encoding': 'identity', 'if-none-match': '"x"' })).statusCode, 200)
})

t.test('without a key the documentation, its files included, counts against the address', async t => {
  for (const page of [...pages, '/docs/static/swagger-ui.css', '/docs/static/logo.svg']) {
    const { as } = await gateway(t, { config: { addressLimit: { calls: 3, seconds: 60, burst: 3 } } })
    const replies = []
    for (let i = 0; i < 4; i++) replies.push(await as(null)('GET', page))
    t.notOk(
      replies.slice(0, 3).some(({ statusCode }) => statusCode === 429),
      page
    )
    t.equal(replies[3]?.statusCode, 429, page)
    t.equal((await as(null)('GET', '/v2/meetings')).statusCode, 429, 'as for everything else without one')
    for (const probe of ['/livez', '/readyz']) t.equal((await as(null)('GET', probe)).statusCode, 200, probe)
  }
})

t.test('switched off it looks like any path that nobody knows, and the API goes on', async t => {
  const { as, asAcme } = await gateway(t, { config: { docs: 'off' } })
  t.strictSame(
    await statuses(asAcme),
    pages.map(() => 404)
  )
  t.equal((await as(null)('GET', '/openapi.json')).json().error.type, 'not_found')
  t.equal((await asAcme('GET', '/v2/livestreams')).statusCode, 200)
})

t.test('behind a key it is shown to who has one, of whatever scope, and the browser asks for it', async t => {
  const { as, withKey } = await gateway(t, {
    config: { docs: 'key', addressLimit: { calls: 20, seconds: 60, burst: 20 } }
  })
  const { key, call } = await withKey('acme', [])
  t.strictSame(
    await statuses(as(null)),
    pages.map(() => 401)
  )
  const asked = await as(null)('GET', '/docs')
  t.match(asked.headers['www-authenticate'], /^Basic realm=/)
  const password = await as(`Basic ${Buffer.from(`acme:${key}`).toString('base64')}`)('GET', '/openapi.json')
  t.equal(password.statusCode, 200)
  t.equal(password.headers['www-authenticate'], undefined)
  t.strictSame(await statuses(call), [200, 200, 302, 200, 200, 200])
  const wrong = as(`Basic ${Buffer.from(`globex:${key}`).toString('base64')}`)
  for (let i = 0; i < 20; i++) await wrong('GET', '/docs')
  t.equal((await wrong('GET', '/docs')).statusCode, 429, 'and guessing is limited here as everywhere')
})

t.test('outside of the demo the page is given no key and no meeting', async t => {
  const { as } = await gateway(t)
  const script = await as(null)('GET', '/docs/static/theme/livegate.js')
  t.match(script.body, /^const prefill = null$/m)
  const { paths } = (await as(null)('GET', '/docs/json')).json()
  const parameters: { name: string }[] = paths['/v2/meetings/{meeting_id}/livestreams'].post.parameters
  t.ok(parameters.some(({ name }) => name === 'meeting_id'))
  t.strictSame(
    parameters.filter(parameter => 'example' in parameter),
    []
  )
})
