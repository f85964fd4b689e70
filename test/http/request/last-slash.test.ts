import t from 'tap'
import { withoutLastSlash } from '../../../src/http/request/last-slash.ts'
import { gateway, withoutRequestId } from '../../support/gateway.ts'
import { documentedRoutes, endRank, fill, sessionIds } from '../../support/http/helper.ts'
import { essence, mounted } from '../../support/http/mounts.ts'
import { freshKey, mutatingRoutes } from '../../support/http/mutating.ts'

const limit = { calls: 10_000, seconds: 60, burst: 10_000 }
const world = await gateway(t, { config: { readLimit: limit, writeLimit: limit } })
const { app, as, asAcme, simulator, meeting, upstream } = world
const bodies = new Map(mutatingRoutes(world).map(({ operationId, body }) => [operationId, body]))

t.test('one slash at the end of any operation is the same operation, on both mounts', async t => {
  simulator.joinMeeting(meeting)
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  simulator.addParticipant(meeting)
  const ids = await sessionIds(asAcme, { meeting_id: meeting, livestream_id: id })
  const routes = documentedRoutes(app)
    .filter(({ scope }) => scope !== null)
    .sort((a, b) => endRank(a) - endRank(b))
  t.ok(routes.length >= 28)
  for (const { method, path, operationId } of routes) {
    const address = fill(path, ids)
    for (const spelt of new Set([`${address}/`, `${mounted(address)}/`])) {
      // An operation that ends something is asked of something that goes on.
      simulator.joinMeeting(meeting)
      await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
      await asAcme('PUT', '/gateway/webhook', bodies.get('setWebhook'))
      const reply = await asAcme(method, spelt, bodies.get(operationId))
      // People whom the first call took out are not there for the second.
      const isDone = reply.statusCode < 300 || reply.json().error.type === 'participant_not_found'
      t.ok(isDone, `${operationId}: ${method} ${spelt} ${reply.statusCode}`)
    }
  }
})

t.test('it stops what runs, and an idempotency key means the same request with it and without', async t => {
  const { id } = (await asAcme('POST', '/v2/meetings/')).json().data
  t.equal((await asAcme('POST', `/v2/meetings/${id}/livestreams/`)).statusCode, 201)
  const [headers, before] = [freshKey(), upstream().length]
  // The stops of before are looked after meanwhile.
  const sent = () =>
    upstream()
      .slice(before)
      .filter(call => call.includes(id))
  const stop = `/v2/meetings/${id}/active-livestream/stop`
  const first = await asAcme('POST', `${stop}/`, undefined, headers)
  t.equal(first.statusCode, 200)
  t.strictSame(sent(), [`POST ${stop}`])
  t.notOk(simulator.livestreams().some(one => one.meeting_id === id && one.status === 'LIVE'))
  for (const path of [stop, `${mounted(stop)}/`]) {
    const again = await asAcme('POST', path, undefined, headers)
    t.strictSame([again.statusCode, again.headers['idempotency-replayed']], [200, 'true'], path)
  }
})

t.test('the query behind it stays as it is, and a whole address will do', async t => {
  const plain = await asAcme('GET', '/v2/meetings?per_page=1&search=%46riday%2F')
  for (const path of [
    '/v2/meetings/?per_page=1&search=%46riday%2F',
    'http://gateway.example/v2/meetings/?per_page=1&search=%46riday%2F'
  ])
    t.strictSame(essence(await asAcme('GET', path), {}), essence(plain, {}), path)
  t.equal((await asAcme('GET', '/v2/meetings/?search=a/')).statusCode, 200)
  t.match((await asAcme('GET', '/v2/meetings/?page/')).json().error.details, [{ field: 'query.page/' }])
  t.equal((await as(null)('GET', '/v2/meetings/')).statusCode, 401)
})

t.test('two slashes, or one in disguise, are another address', async t => {
  const { asAcme, meeting, upstream } = await gateway(t)
  const list = '/v2/meetings'
  const one = `${list}/${meeting}`
  for (const path of [`${list}//`, `${list}%2F`, `${list}%2f/`, `${list}/%2F`, `${one}//`, `${one}/%2F`, `${one}%2F`])
    for (const spelt of [path, mounted(path)]) {
      const { statusCode } = await asAcme('GET', spelt)
      t.ok(statusCode === 404 || statusCode === 400, `${spelt}: ${statusCode}`)
    }
  const stop = `${one}/active-livestream/stop`
  for (const path of [`${stop}//`, `${stop}%2F`, `${stop}/%2f`, `${stop}/?/`, `${stop}/./`])
    t.ok((await asAcme('POST', path)).statusCode >= 400, path)
  t.strictSame(upstream(), [], 'the vendor hears of none')
  const none = await asAcme('GET', '/v2/')
  t.equal(withoutRequestId(await asAcme('GET', '/v2')), withoutRequestId(none))
})

t.test('a path that is no operation keeps its own address', async t => {
  for (const url of ['/', '', '/docs/', '/livez/', '/v2/', '/v2//', '/v1/meetings/', 'https://a/', '*', '/v2x/a/'])
    t.equal(withoutLastSlash(url), url)
  t.equal(withoutLastSlash('/v2/meetings/#/'), '/v2/meetings#/')
  t.equal((await as(null)('GET', '/livez/')).statusCode, 404)
  const { statusCode } = await asAcme('GET', '/docs/')
  t.equal(statusCode, (await asAcme('GET', '/docs')).statusCode)
})
