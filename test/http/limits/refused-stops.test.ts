import t from 'tap'
import { manualClock } from '../../support/clock.ts'
import { type Client, gateway, type WorldOptions } from '../../support/gateway.ts'
import { tally } from '../../support/http/helper.ts'
import { freshKey } from '../../support/http/mutating.ts'

const writeLimit = { calls: 3, seconds: 60, burst: 3 }

/** A gateway whose tenants have three writes, and a way to ask for a stop several times. */
async function three(t: Parameters<typeof gateway>[0], options: WorldOptions = {}) {
  const world = await gateway(t, { ...options, clock: manualClock(), config: { writeLimit } })
  const stop = `/v2/meetings/${world.meeting}/active-livestream/stop`
  const told = async (count: number, call: Client, path = stop, headers = {}) => {
    const replies = []
    for (let i = 0; i < count; i++) replies.push(await call('POST', path, undefined, headers))
    return { replies, ...tally(replies) }
  }
  return { ...world, stop, told }
}

t.test('a stop that is refused before it is one counts as a write, and is a 429 when none is left', async t => {
  for (const what of ['scope', 'ownership', 'schema', 'id', 'key used otherwise'] as const) {
    const { stop, told, asAcme, withKey, otherMeeting, upstream, meeting, events } = await three(t)
    const viewer = (await withKey('acme', ['livestreams:read', 'meetings:read'])).call
    const headers = freshKey()
    if (what === 'key used otherwise') await asAcme('PATCH', `/v2/meetings/${meeting}`, { title: 'a' }, headers)
    const before = upstream().length
    const [call, path, status, sent] = {
      scope: [viewer, stop, 403, {}] as const,
      ownership: [asAcme, stop.replace(meeting, otherMeeting), 404, {}] as const,
      schema: [asAcme, `${stop}?force=1`, 400, {}] as const,
      id: [asAcme, '/v2/meetings/%2e%2e/active-livestream/stop', 400, {}] as const,
      'key used otherwise': [asAcme, stop, 422, headers] as const
    }[what]
    const left = what === 'key used otherwise' ? 2 : 3
    const { replies, ...counts } = await told(7, call, path, sent)
    t.strictSame(counts, { [status]: left, 429: 7 - left }, what)
    t.match(replies[0]?.headers, { ratelimit: `"write";r=${left - 1};t=${20 * (4 - left)}` }, what)
    t.ok(replies.at(-1)?.headers['retry-after'], what)
    t.match(replies.at(-1)?.json().error, { type: 'rate_limited', details: [{ field: 'write' }] })
    t.equal((await asAcme('POST', '/v2/meetings')).statusCode, 429, 'it was the tenant who spent them')
    t.equal(upstream().length, before, 'and the vendor hears of none')
    const last = (await events()).filter(({ api }) => api.operation === 'stopLivestream').at(-1)
    t.match(last?.unmapped, { outcome: 'refused' })
  }
})

t.test('a stop that passes the checks is never refused for it, and spends nothing', async t => {
  const { told, stop, asAcme, withKey, simulator, meeting } = await three(t)
  const viewer = (await withKey('acme', ['livestreams:read'])).call
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await told(5, viewer)
  t.equal((await asAcme('POST', '/v2/meetings')).statusCode, 429)
  const reply = await asAcme('POST', stop)
  t.equal(reply.statusCode, 200)
  t.notOk(simulator.livestreams().some(({ status }) => status === 'LIVE'))
  t.match(reply.headers, { ratelimit: /^"write";r=0/ })
})

t.test('a caller without a valid key counts by its address, as everywhere', async t => {
  const { told, as, asAcme } = await three(t)
  const { replies, ...counts } = await told(4, as('Bearer nobody'))
  t.strictSame(counts, { 401: 4 })
  t.match(replies[0]?.headers, { ratelimit: /^"address"/ })
  t.equal((await asAcme('POST', '/v2/meetings')).statusCode, 201)
})

t.test('a vendor that fails refuses nobody', async t => {
  const { told, asAcme, simulator, meeting } = await three(t, { unmoved: true })
  simulator.failNext({ match: { method: 'POST', path: `/meetings/${meeting}/active-livestream/stop` }, status: 500 })
  const { replies } = await told(1, asAcme)
  t.ok((replies[0]?.statusCode ?? 0) >= 500)
  t.match(replies[0]?.headers, { ratelimit: '"write";r=3;t=1' })
})
