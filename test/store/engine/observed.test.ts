import t from 'tap'
import { Conflict, type Engine, StoreError, UniqueViolation } from '../../../src/store/engine/engine.ts'
import { observedEngine } from '../../../src/store/engine/observed.ts'

t.test('look-ups and transactions are told of; only a store that cannot do them has failed', async t => {
  let error: Error | null = null
  const work = async () => {
    if (error !== null) throw error
    return []
  }
  const told: string[] = []
  const engine = observedEngine({ read: work, write: work } as unknown as Engine, {
    storeWriting: change => told.push(`writing ${change}`),
    storeRead: durationMs => told.push(`read ${durationMs >= 0}`),
    storeWrite: durationMs => told.push(`write ${durationMs >= 0}`),
    storeFailed: kind => told.push(`failed ${kind}`)
  })
  const all = async (): Promise<string[]> => {
    await engine.read({} as never).catch(() => {})
    await engine.write([]).catch(() => {})
    return told.splice(0)
  }
  t.strictSame(await all(), ['read true', 'writing 1', 'write true', 'writing -1'])
  for (error of [new Conflict('x'), new UniqueViolation('x')])
    t.strictSame(await all(), ['writing 1', 'writing -1'], 'the store has answered')
  error = new StoreError('the disk is gone')
  t.strictSame(await all(), ['failed read', 'writing 1', 'failed write', 'writing -1'])
  await t.rejects(engine.write([]), error, 'the error goes on to its caller')
})
