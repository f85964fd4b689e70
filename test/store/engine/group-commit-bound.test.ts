import t from 'tap'
import { StoreError } from '../../../src/store/engine/engine.ts'
import { GroupCommit } from '../../../src/store/engine/group-commit.ts'
import type { JobResult } from '../../../src/store/engine/transaction.ts'
import { refusalOf } from '../../support/store/helper.ts'

t.test('a store that hangs fills no memory: beyond 10,000 that wait, the next are refused at once', async t => {
  const thawed = Promise.withResolvers<void>()
  let written = 0
  const group = new GroupCommit(async transactions => {
    await thawed.promise
    written += transactions.length
    return transactions.map((): JobResult => ({ rows: [] }))
  })
  const transaction = { statements: [] }
  const taken = [group.run(transaction)]
  await new Promise(setImmediate) // the first one is under way by now, and waits no more
  for (let i = 0; i < 10_000; i++) taken.push(group.run(transaction))
  t.match(await refusalOf(group.run(transaction)), { constructor: StoreError, reason: 'the store is too slow' })
  thawed.resolve()
  await Promise.all(taken)
  t.equal(written, 10_001, 'those that were taken are written')
  await group.run(transaction)
  t.equal(written, 10_002, 'and then there is room again')
})
