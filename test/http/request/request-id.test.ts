import t from 'tap'
import { plainId } from '../../../src/http/request/request.ts'
import { gateway } from '../../support/gateway.ts'
import fc, { anyText, runs } from '../../support/runner/properties.ts'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

t.test("a caller's request id is taken over when it is short and plain, else one is made", async t => {
  const { as, asAcme, events } = await gateway(t)
  for (const id of ['a', 'req-1', 'A.b_c-9', '0'.repeat(64), '0b6f1d1e-6f0a-4a3e-9a53-2f1b8c1f6d11']) {
    const reply = await asAcme('GET', '/v2/nothing', undefined, { 'x-request-id': id })
    t.equal(reply.headers['x-request-id'], id)
    t.equal(reply.json().error.request_id, id, 'the body says the same')
  }
  for (const id of ['', ' ', '0'.repeat(65), '-a', '.a', 'a b', 'a/b', 'a"b', '<b>', 'ä', '$\u007bjndi:x}', 'a, b']) {
    const { headers } = await asAcme('GET', '/v2/nothing', undefined, { 'x-request-id': id })
    t.match(headers['x-request-id'], uuid, `not ${JSON.stringify(id)}`)
  }
  const without = [await as(null)('GET', '/livez'), await as(null)('GET', '/livez')].map(r => r.headers['x-request-id'])
  t.match(without, [uuid, uuid])
  t.not(without[0], without[1], 'each call has its own')

  const refused = await as(null)('GET', '/v2/meetings', undefined, { 'x-request-id': 'mine' })
  t.equal(refused.headers['x-request-id'], 'mine', 'a refused call has one too')
  const mine = (await events()).filter(({ metadata }) => metadata.correlation_uid === 'mine')
  t.equal(mine.length, 1, 'and it is the id of the call in the audit log')
})

t.test('a request id that is taken over has nothing in it that a log line or a page could trip over', async t => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), anyText(), fc.stringMatching(/^[\w.-]{0,70}$/)), text => {
      const id = plainId(text)
      return id === null || (id === text && id.length <= 64 && /^[A-Za-z0-9._-]+$/.test(id))
    }),
    { numRuns: runs(2_000) }
  )
  t.equal(plainId(['a', 'b']), null, 'two of them are none')
  t.equal(plainId(undefined), null)
})
