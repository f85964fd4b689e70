import t from 'tap'
import { type Client, gateway } from '../support/gateway.ts'

const pages = ['/docs', '/docs/', '/docs/static/index.html', '/docs/json', '/docs/yaml', '/openapi.json']
const statuses = async (call: Client) => Promise.all(pages.map(async page => (await call('GET', page)).statusCode))

t.test('the documentation is open when it is public', async t => {
  const { as } = await gateway(t, { config: { docs: 'public' } })
  t.strictSame(await statuses(as(null)), [200, 200, 302, 200, 200, 200])
  t.match((await as(null)('GET', '/docs')).body, '<title>Livegate</title>')
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
