import t from 'tap'
import { WriteBehind } from '../../../src/lifecycle/operations/write-behind.ts'
import { Conflict, type Statement, StoreError } from '../../../src/store/engine/engine.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { until } from '../../support/until.ts'

const statement = (sql: string): Statement => ({ sql, parameters: [] }) as unknown as Statement

t.test('a transaction that could not be written is written in its order when the store is back', async t => {
  let broken = true
  const written: string[] = []
  const troubles: number[] = []
  const writeBehind = new WriteBehind({
    engine: {
      async write(statements) {
        if (broken) throw new StoreError('locked')
        written.push(statements.map(({ sql }) => sql).join(' + '))
        return []
      }
    },
    onTrouble: (_error, waiting) => troubles.push(waiting),
    retryAfterMs: 5
  })
  writeBehind.add([statement('operation 1'), statement('event 1')])
  writeBehind.add([statement('event 2')])
  await until(() => troubles.length > 0)
  t.strictSame(written, [])
  broken = false
  await until(() => written.length === 2)
  t.strictSame(written, ['operation 1 + event 1', 'event 2'])
  await writeBehind.close()
})

t.test('a transaction that contradicts the store leaves its event at least, and holds nothing up', async t => {
  const written: string[] = []
  const writeBehind = new WriteBehind({
    engine: {
      async write(statements) {
        if (statements.length > 1) throw new Conflict('another tenant has it')
        written.push(...statements.map(({ sql }) => sql))
        return []
      }
    },
    onTrouble: () => t.fail('no trouble')
  })
  writeBehind.add([statement('ownership'), statement('event 1')])
  writeBehind.add([statement('event 2')])
  await writeBehind.close()
  t.strictSame(written, ['event 1', 'event 2'])
})

t.test('closing without a store says how much is lost', async t => {
  const troubles: number[] = []
  const engine = { write: async () => Promise.reject(new StoreError('gone')) }
  const writeBehind = new WriteBehind({ engine, onTrouble: (_error, waiting) => troubles.push(waiting) })
  writeBehind.add([statement('event 1')])
  writeBehind.add([statement('event 2')])
  await writeBehind.close()
  t.strictSame(troubles, [2])
})

t.test('a stop whose outcome met a locked store is settled when the store is back, with its livestream', async t => {
  const { asAcme, meeting, storeFile, store, events, door } = await gatewayBehindDoor(t)
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  door.hold('POST')
  const stopping = asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  await until(() => door.held().length === 1)
  const unlock = lockStore(storeFile)
  door.release()
  t.equal((await stopping).statusCode, 200)
  unlock()
  await until(async () => (await events().catch(() => [])).length === 4)
  const rows = await store.engine.read(store.sql.selectFrom('operations').select('state').compile())
  t.strictSame(rows, [{ state: 'done' }, { state: 'done' }])
  const [row] = await store.engine.read(store.sql.selectFrom('livestreams').select('status').compile())
  t.equal(row?.status, 'IDLE')
})
