import { randomUUID } from 'node:crypto'
import Database from 'better-sqlite3'
import t from 'tap'
import { gateway } from '../../support/gateway.ts'

t.test('a stop under a key goes out though the store cannot be read; any other change does not', async t => {
  const { asAcme, meeting, storeFile, simulator } = await gateway(t, { damaged: true })
  const path = `/v2/meetings/${meeting}`
  const underKey = () => ({ 'idempotency-key': randomUUID() })
  t.equal((await asAcme('POST', `${path}/livestreams`)).statusCode, 201)

  const database = new Database(storeFile)
  database.exec('alter table operations rename to away')
  database.close()
  const refused = await asAcme('PATCH', path, { title: 'x' }, underKey())
  t.match(refused.json().error, { code: 503, type: 'store_unavailable', outcome: 'not_sent' })
  t.equal((await asAcme('POST', `${path}/active-livestream/stop`, undefined, underKey())).statusCode, 200)
  t.notOk(
    simulator.livestreams().some(({ status }) => status === 'LIVE'),
    'nothing goes on'
  )
})
