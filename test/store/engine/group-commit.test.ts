import t from 'tap'
import { Conflict, Expired, StoreError, UniqueViolation } from '../../../src/store/engine/engine.ts'
import { GroupCommit } from '../../../src/store/engine/group-commit.ts'
import type { JobResult, Transaction } from '../../../src/store/engine/transaction.ts'
import { refusalOf } from '../../support/store/helper.ts'

const named = (name: string): Transaction => ({ statements: [{ sql: name, parameters: [] }] })
const nameOf = ({ statements }: Transaction): string => statements[0]?.sql ?? ''
/** Gives each transaction its own name back. */
const echo = (group: Transaction[]): JobResult[] => group.map(one => ({ rows: [[{ name: nameOf(one) }]] }))
const answer = (name: string) => [[{ name }]]

/** A writer whose groups the test settles one by one. */
function held() {
  const groups: { names: string[]; settle(): void; refuse(error: unknown): void }[] = []
  const group = new GroupCommit(transactions => {
    const { promise, resolve, reject } = Promise.withResolvers<JobResult[]>()
    groups.push({ names: transactions.map(nameOf), settle: () => resolve(echo(transactions)), refuse: reject })
    return promise
  })
  const run = (name: string) => group.run(named(name))
  return { group, groups, run }
}

/** Time for everything that waits for nothing. */
const turn = () => new Promise(setImmediate)

t.test('those who come in one turn are written together, and each has its own answer', async t => {
  const { groups, run } = held()
  const all = Promise.all(['a', 'b', 'c'].map(run))
  await turn()
  t.strictSame(
    groups.map(({ names }) => names),
    [['a', 'b', 'c']]
  )
  groups[0]?.settle()
  t.strictSame(await all, [answer('a'), answer('b'), answer('c')])
})

t.test('those who come while a group is written go together next, in the order in which they came', async t => {
  const { groups, run } = held()
  const first = run('first')
  await turn()
  const later = []
  for (const name of ['a', 'b', 'c']) {
    later.push(run(name))
    await turn()
  }
  t.equal(groups.length, 1, 'one group at a time')
  groups[0]?.settle()
  t.strictSame(await first, answer('first'))
  await turn()
  t.strictSame(groups[1]?.names, ['a', 'b', 'c'])
  groups[1]?.settle()
  t.strictSame(await Promise.all(later), [answer('a'), answer('b'), answer('c')])
  t.equal(groups.length, 2)
})

t.test('at most 256 share a commit, so that nobody waits for a crowd', async t => {
  const sizes: number[] = []
  const group = new GroupCommit(async transactions => {
    sizes.push(transactions.length)
    return echo(transactions)
  })
  const names = Array.from({ length: 600 }, (_, i) => `t${i}`)
  const answers = await Promise.all(names.map(name => group.run(named(name))))
  t.strictSame(sizes, [256, 256, 88])
  t.strictSame(answers, names.map(answer))
})

t.test('a mistake in a group is told to its own transaction alone, as its class', async t => {
  const kinds = ['unique', 'conflict', 'expired', 'failed'] as const
  const group = new GroupCommit(async transactions =>
    transactions.map(one => {
      const kind = kinds.find(kind => kind === nameOf(one))
      return kind === undefined ? (echo([one])[0] as JobResult) : { error: { kind, message: `why ${kind}` } }
    })
  )
  const [first, ...refusals] = await Promise.all(['good', ...kinds].map(name => refusalOf(group.run(named(name)))))
  t.equal(first, 'accepted')
  const classes = [UniqueViolation, Conflict, Expired, StoreError]
  t.strictSame(
    refusals.map(refusal => (refusal as StoreError).reason),
    kinds.map(kind => `why ${kind}`)
  )
  for (const [i, refusal] of refusals.entries()) t.equal((refusal as StoreError).constructor, classes[i])
})

t.test('a writer that breaks refuses exactly those of its group; the next group is written', async t => {
  const { groups, run } = held()
  const broken = ['a', 'b'].map(name => refusalOf(run(name)))
  await turn()
  const next = run('c')
  const reason = new StoreError('the thread ended')
  groups[0]?.refuse(reason)
  t.strictSame(await Promise.all(broken), [reason, reason])
  await turn()
  t.strictSame(groups[1]?.names, ['c'])
  groups[1]?.settle()
  t.strictSame(await next, answer('c'))
})

t.test('idle waits for what is written and for what waits, and for nothing when nothing does', async t => {
  const { group, groups, run } = held()
  await group.idle()
  const first = run('a')
  await turn()
  const second = run('b')
  let idle = false
  const waiting = group.idle().then(() => {
    idle = true
  })
  groups[0]?.settle()
  await first
  await turn()
  t.notOk(idle, 'the second group is under way')
  groups[1]?.settle()
  await second
  await waiting
  t.ok(idle)

  const again = run('c')
  await turn()
  groups[2]?.settle()
  t.strictSame(await again, answer('c'), 'after a pause it goes on')
  await group.idle()
})
