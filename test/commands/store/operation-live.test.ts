import { randomUUID } from 'node:crypto'
import t from 'tap'
import { commandLine } from '../../support/cli.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'

t.test(
  'beside a gateway: the meeting is free at once, and its key is answered that a person has settled it',
  async t => {
    const { asAcme, meeting, simulator, storeFile } = await gateway(t, { clock: manualClock() })
    const { run, json } = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}` })
    const path = `/v2/meetings/${meeting}/livestreams`
    const start = (key?: string) => asAcme('POST', path, {}, key === undefined ? {} : { 'idempotency-key': key })
    const key = randomUUID()
    simulator.failNext({ match: { method: 'POST' }, hangUp: true })
    t.match((await start(key)).json().error, { outcome: 'unknown' })
    t.match((await start(key)).json().error, { code: 409, type: 'idempotency_key_in_use' })
    t.match((await start()).json().error, { code: 409, type: 'start_unsettled' })

    const [{ id }] = await json('operation', 'list', '--open')
    t.equal((await run('operation', 'resolve', id, 'failed')).code, 0)
    const replay = await start(key)
    t.equal(replay.statusCode, 409)
    t.equal(replay.headers['idempotency-replayed'], 'true')
    t.match(replay.json().error, { type: 'operation_resolved' })
    t.equal((await start()).statusCode, 201)
    t.equal(simulator.journal.filter(({ target, method }) => method === 'POST' && target === path).length, 2)
    t.equal((await start(key)).body, replay.body, 'for good')
  }
)

t.test('the caller hears that a person has settled what can never be found out', async t => {
  const { asAcme, simulator, storeFile } = await gateway(t)
  const { json } = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}` })
  const key = { 'idempotency-key': randomUUID() }
  simulator.failNext({ match: { method: 'POST' }, hangUp: true })
  const first = await asAcme('POST', '/v2/meetings', { title: 'new' }, key)
  t.match(first.json().error, { code: 502, outcome: 'unknown' })
  const [{ id, kind }] = await json('operation', 'list', '--open')
  t.equal(kind, 'create_meeting')
  t.match(await json('operation', 'resolve', id, 'done'), { state: 'done' })
  const replay = await asAcme('POST', '/v2/meetings', { title: 'new' }, key)
  t.equal(replay.headers['idempotency-replayed'], 'true')
  t.match(replay.json().error, { type: 'operation_resolved', request_id: first.json().error.request_id })
})
