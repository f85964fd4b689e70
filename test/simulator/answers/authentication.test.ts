import t from 'tap'
import { basic, send, simulate } from '../../support/simulator/helper.ts'

t.test('only the right organization and key get in, everybody else gets the same 401', async t => {
  const { simulator, call } = await simulate(t)
  const { org, key } = simulator
  t.equal((await call('GET', '/livestreams')).status, 200)
  const refused = [
    undefined,
    '',
    'Basic',
    'Basic !!!',
    `Bearer ${key}`,
    basic(org, 'wrong'),
    basic('wrong', key),
    basic(org, `${key} `),
    Buffer.from(`${org}:${key}`).toString('base64')
  ]
  for (const authorization of refused) {
    const headers = authorization === undefined ? {} : { authorization }
    for (const target of ['/v2/livestreams', '/v2/nowhere', '/']) {
      const { status, json } = await send(simulator, 'GET', target, undefined, headers)
      t.equal(status, 401, `${authorization} on ${target}`)
      t.strictSame(json, { message: 'Unauthorized' })
    }
  }
  t.equal(simulator.journal.filter(({ executed }) => executed).length, 1)
})

t.test('credentials are made anew for each simulator, or are those that were asked for', async t => {
  const { simulator: one } = await simulate(t)
  const { simulator: other } = await simulate(t)
  t.not(one.org, other.org)
  t.not(one.key, other.key)
  const { simulator: chosen, call } = await simulate(t, { org: 'some-org', key: 'with:colon' })
  t.match(chosen, { org: 'some-org', key: 'with:colon' })
  t.equal((await call('GET', '/meetings')).status, 200)
})

t.test('the scheme is case-insensitive', async t => {
  const { simulator } = await simulate(t)
  const authorization = basic(simulator.org, simulator.key).replace('Basic', 'basic')
  t.equal((await send(simulator, 'GET', '/v2/meetings', undefined, { authorization })).status, 200)
})
