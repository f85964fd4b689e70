import t from 'tap'
import { gateway } from '../../support/gateway.ts'

t.test(
  'a new meeting or livestream that is known as somebody’s has an unknown outcome, and stays where it is',
  async t => {
    const { asAcme, asGlobex, simulator, store } = await gateway(t)
    for (const path of ['/v2/meetings', '/v2/livestreams']) {
      const { data } = (await asAcme('POST', path, {})).json()
      simulator.failNext({ match: { method: 'POST' }, status: 201, body: { success: true, data } }, 2)
      const key = { 'idempotency-key': path }
      for (const headers of [key, {}]) {
        const reply = await asGlobex('POST', path, {}, headers)
        t.match(reply.json().error, { code: 502, type: 'upstream_malformed', outcome: 'unknown' }, path)
        t.notMatch(reply.body, data.id)
      }
      const replay = await asGlobex('POST', path, {}, key)
      t.match(
        [replay.statusCode, replay.headers['idempotency-replayed']],
        [502, 'true'],
        'it is not under way for ever'
      )
      t.equal((await asGlobex('GET', `${path}/${data.id}`)).statusCode, 404)
      t.equal((await asAcme('GET', `${path}/${data.id}`)).statusCode, 200)
    }
    const states = store.sql.selectFrom('operations').select('state').where('tenant_id', '=', 'globex')
    t.strictSame(
      (await store.engine.read(states.compile())).map(({ state }) => state),
      ['unknown', 'unknown', 'unknown', 'unknown']
    )
  }
)
