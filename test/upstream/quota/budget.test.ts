import t from 'tap'
import { Failure } from '../../../src/domain/refusals/failures.ts'
import type { Priority } from '../../../src/upstream/provider.ts'
import { type BudgetOptions, UpstreamBudget } from '../../../src/upstream/quota/budget.ts'
import type { Ticket } from '../../../src/upstream/quota/quota-use.ts'
import { manualClock } from '../../support/clock.ts'
import fc from '../../support/runner/properties.ts'

const quota = { calls: 100, seconds: 60 }

function budgetOf(options: Partial<BudgetOptions> = {}) {
  const clock = manualClock()
  const budget = new UpstreamBudget({ quota, deadlineMs: 1_000, clock, ...options })
  /** Null when it is refused. */
  const admit = (priority: Priority, tenantId = 'acme'): Ticket | null => {
    try {
      return budget.admit({ tenantId, priority })
    } catch (error) {
      if (error instanceof Failure) return null
      throw error
    }
  }
  let tenants = 0
  /** A call that is answered at once, each of another tenant: how it is divided, `fair-share.test.ts` shows. */
  const call = (priority: Priority, tenantId = `tenant-${tenants++}`): boolean => {
    const ticket = admit(priority, tenantId)
    ticket?.answered()
    return ticket !== null
  }
  const calls = (priority: Priority, times: number, tenantId?: string): number =>
    Array.from({ length: times }, () => call(priority, tenantId)).filter(Boolean).length
  return { clock, budget, admit, call, calls }
}

function refusalOf(budget: UpstreamBudget, priority: Priority): Failure {
  try {
    budget.admit({ tenantId: 'acme', priority })
  } catch (error) {
    if (error instanceof Failure) return error
  }
  throw new Error('it was not refused')
}

t.test('reads leave a fifth to mutations, both leave a twentieth to stops, and a stop is never refused', async t => {
  const { calls, budget } = budgetOf()
  t.equal(calls('read', 1_000), 75)
  t.equal(calls('mutation', 1_000), 20)
  t.equal(calls('stop', 10), 10, 'five more than are left')
  t.match(refusalOf(budget, 'mutation'), { status: 503, type: 'upstream_budget_exhausted' })
})

t.test('reads in the background leave a tenth to all others, and have no share and no claim', async t => {
  const { budget, calls, clock } = budgetOf()
  const background = (times: number): number => {
    const admitted = Array.from({ length: times }, () => {
      try {
        return budget.admit({ tenantId: 'acme', priority: 'read', isBackground: true })
      } catch (error) {
        if (error instanceof Failure) return null
        throw error
      }
    })
    for (const ticket of admitted) ticket?.answered()
    return admitted.filter(ticket => ticket !== null).length
  }
  t.equal(background(1_000), 65)
  t.equal(calls('read', 1_000, 'acme'), 10)
  t.equal(calls('mutation', 1_000), 20)
  t.equal(budget.status().used.read, 75)
  t.match(
    budget.tenants().find(({ tenantId }) => tenantId === 'acme'),
    { reads: 10 },
    'it is no use of the tenant'
  )
  clock.advance(60_011)
  t.equal(budget.status().used.read, 0)
  t.equal(calls('read', 70), 70)
  t.equal(background(1), 0)
})

t.test('the reserve that mutations and stops have used is not taken from reads again', async t => {
  const { calls } = budgetOf()
  t.equal(calls('mutation', 20), 20)
  t.equal(calls('stop', 5), 5)
  t.equal(calls('read', 1_000), 75)
})

t.test('mutations may use what reads leave', async t => {
  const { calls } = budgetOf()
  t.equal(calls('mutation', 1_000), 95)
})

t.test('a call counts until a whole window after its answer', async t => {
  const { calls, admit, clock, call } = budgetOf()
  const slow = admit('read')
  t.equal(calls('read', 74), 74)
  clock.advance(30_000)
  slow?.answered()
  clock.advance(30_000)
  t.equal(call('read'), false, 'the window of those that were answered at the beginning is not over')
  clock.advance(20)
  t.equal(calls('read', 1_000), 74, 'all but the slow one')
  clock.advance(29_900)
  t.equal(call('read'), false)
  clock.advance(100)
  t.equal(call('read'), true)
})

t.test('a call without an answer counts for the deadline longer: it may arrive late', async t => {
  const { calls, admit, clock, call } = budgetOf()
  admit('read')?.lost()
  t.equal(calls('read', 74), 74)
  clock.advance(60_020)
  t.equal(calls('read', 74), 74)
  t.equal(call('read'), false)
  clock.advance(1_000)
  t.equal(call('read'), true)
})

t.test('a refused tenant is told when there will be room again, and then there is', async t => {
  const { calls, budget, clock, call } = budgetOf()
  calls('read', 40)
  clock.advance(10_000)
  calls('read', 35)
  const { retryAfterSeconds } = refusalOf(budget, 'read')
  t.equal(retryAfterSeconds, 51)
  clock.advance(51_000)
  t.equal(call('read'), true)
})

t.test('the vendor never sees more than its quota in any window, however calls come, are delayed or lost', async t => {
  interface Event {
    gapMs: number
    priority: Priority
    tenant: number
    /** Until it arrives at the vendor, and until its answer is here. */
    thereMs: number
    backMs: number
    isLost: boolean
  }
  const event: fc.Arbitrary<Event> = fc.record({
    gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 })),
    priority: fc.constantFrom<Priority>('read', 'read', 'read', 'mutation'),
    tenant: fc.integer({ min: 0, max: 4 }),
    thereMs: fc.integer({ min: 0, max: 500 }),
    backMs: fc.integer({ min: 0, max: 500 }),
    isLost: fc.boolean()
  })
  const property = fc.property(fc.array(event, { minLength: 50, maxLength: 400 }), events => {
    const { admit, clock } = budgetOf({ quota: { calls: 12, seconds: 3 } })
    const arrivals: number[] = []
    const ends: { atMs: number; end(): void }[] = []
    const passTo = (timeMs: number): void => {
      for (const { atMs, end } of ends.filter(one => one.atMs <= timeMs).sort((a, b) => a.atMs - b.atMs)) {
        clock.advance(Math.max(0, atMs - clock.monotonic()))
        end()
      }
      for (let i = ends.length - 1; i >= 0; i--) if ((ends[i]?.atMs ?? 0) <= timeMs) ends.splice(i, 1)
      clock.advance(timeMs - clock.monotonic())
    }
    for (const { gapMs, priority, tenant, thereMs, backMs, isLost } of events) {
      passTo(clock.monotonic() + gapMs)
      const nowMs = clock.monotonic()
      const ticket = admit(priority, `tenant-${tenant}`)
      if (ticket === null) continue
      // A call that is given up at once may still arrive within the deadline.
      arrivals.push(nowMs + (isLost ? thereMs * 2 : thereMs))
      ends.push({ atMs: nowMs + (isLost ? 0 : thereMs + backMs), end: isLost ? ticket.lost : ticket.answered })
    }
    arrivals.sort((a, b) => a - b)
    return arrivals.every((fromMs, i) => {
      const inWindow = arrivals.slice(i).filter(atMs => atMs < fromMs + 3_000).length
      return inWindow <= 12 - 1 // without the stops' reserve
    })
  })
  fc.assert(property, { numRuns: 100 })
  t.pass('100 random histories')
})

t.test('after a start what was used before counts, each for its time', async t => {
  const { calls, clock } = budgetOf({
    spentBefore: [
      { calls: 30, untilMs: 20_000 },
      { calls: 20, untilMs: 60_000 },
      { calls: 5, untilMs: -1 }
    ]
  })
  t.equal(calls('read', 1_000), 25)
  t.equal(calls('mutation', 1_000), 20)
  clock.advance(20_001)
  t.equal(calls('read', 1_000), 30)
  clock.advance(40_050)
  t.equal(calls('read', 1_000), 45, 'those of the first moment have left, too')
})

t.test("the vendor's own figure counts when it leaves less than is known here", async t => {
  const { calls, budget, clock } = budgetOf()
  calls('read', 10)
  budget.tell({ remaining: 95, resetMs: 60_000, quota: null })
  t.equal(budget.status().left.read, 65, 'more is not believed')
  budget.tell({ remaining: 50, resetMs: 5_000, quota: 100 })
  t.equal(budget.status().left.read, 25, 'less is: somebody else uses the same quota')
  t.equal(budget.status().used.other, 40)
  clock.advance(5_001)
  t.equal(budget.status().left.read, 65, 'until the vendor has said that there is more')
})

t.test("the vendor's part counts where its quota is not the configured one", async t => {
  const { budget } = budgetOf()
  budget.tell({ remaining: 10, resetMs: 60_000, quota: 20 })
  t.strictSame(budget.status().left, { stop: 50, mutation: 45, read: 25 })
  budget.tell({ remaining: 20, resetMs: 60_000, quota: 20 })
  t.equal(
    budget.status().left.read,
    75,
    'reserves that are larger than the vendor’s whole quota do not shut everybody out'
  )
  budget.tell({ remaining: 0, resetMs: 60_000, quota: 0 })
  t.equal(budget.status().left.read, 0)
})

t.test('after a 429 reads and mutations pause as long as the vendor says, and stops are tried', async t => {
  const { budget, call, clock } = budgetOf()
  budget.throttled(4_000)
  const refusal = refusalOf(budget, 'read')
  t.match(refusal, { status: 503, type: 'upstream_throttled', retryAfterSeconds: 4 })
  t.equal(call('mutation'), false)
  t.equal(call('stop'), true)
  t.equal(budget.pausedForMs(), 4_000)
  clock.advance(3_999)
  t.equal(call('read'), false)
  clock.advance(1)
  t.equal(call('read'), true)
  t.equal(budget.pausedForMs(), 0)
})

t.test(
  'a 429 lowers the budget by half, once for those that came together, and it recovers window by window',
  async t => {
    const { budget, clock } = budgetOf()
    const lowered = (): number => budget.status().loweredTo
    t.equal(lowered(), 100)
    budget.throttled(4_000)
    budget.throttled(4_000)
    budget.throttled(2_000)
    t.equal(budget.pausedForMs(), 4_000, 'the longest pause holds')
    t.equal(lowered(), 50)
    clock.advance(4_000)
    t.equal(lowered(), 50)
    t.equal(budget.status().left.read, 50 - 5 - 20)
    t.equal(budget.status().left.mutation, 95, 'starts are not held to it')
    clock.advance(2 * 60_010)
    t.equal(lowered(), 70)
    budget.throttled(4_000)
    t.equal(lowered(), 35)
    clock.advance(4_000 + 10 * 60_010)
    t.equal(lowered(), 100)
    for (let i = 0; i < 20; i++) {
      budget.throttled(1_000)
      clock.advance(1_000)
    }
    t.equal(lowered(), 5, 'never to nothing')
  }
)

t.test('used calls are told to the next process with their time, in few figures', async t => {
  const { budget, calls, admit, clock } = budgetOf({ spentBefore: [{ calls: 3, untilMs: 60_000 }] })
  calls('read', 10)
  clock.advance(30_000)
  calls('mutation', 4)
  admit('stop')
  const spent = budget.spent()
  const total = spent.reduce((sum, { calls: n }) => sum + n, 0)
  t.equal(total, 18)
  t.ok(spent.length <= 4)
  for (const { calls: n, untilMs } of spent) {
    t.ok(untilMs > 30_000 && untilMs <= 92_100, `${n} until ${untilMs} ms`)
  }
  const heir = budgetOf({ spentBefore: spent, clock })
  t.equal(heir.calls('read', 1_000), 75 - 18)
})

t.test(
  'calls that are handed on from process to process a thousand times last no longer than those that are handed on once',
  async t => {
    const clock = manualClock()
    const heirOf = (spentBefore: BudgetOptions['spentBefore']) => budgetOf({ clock, spentBefore: spentBefore ?? [] })
    let last = heirOf([])
    t.equal(last.calls('read', 10), 10)
    for (let life = 0; life < 1_000; life++) {
      clock.advance(61)
      // Through a file, where a time is another number.
      const nowMs = clock.monotonic() + 1e9
      const handed = last.budget.spent().map(({ calls, untilMs }) => ({ calls, forMs: untilMs + 1e9 - nowMs }))
      last = heirOf(handed.map(({ calls, forMs }) => ({ calls, untilMs: forMs + nowMs - 1e9 })))
    }
    t.equal(clock.monotonic(), 61_000)
    // One step is a second.
    clock.advance(11)
    t.equal(last.budget.status().used.other, 0)
  }
)

t.test('users of the quota are told by priority, the greediest first', async t => {
  const { budget, calls } = budgetOf()
  calls('read', 2, 'globex')
  calls('read', 3, 'acme')
  calls('stop', 1, 'acme')
  calls('mutation', 1, 'initech')
  t.strictSame(budget.tenants(), [
    { tenantId: 'acme', reads: 3, mutations: 0, stops: 1 },
    { tenantId: 'globex', reads: 2, mutations: 0, stops: 0 },
    { tenantId: 'initech', reads: 0, mutations: 1, stops: 0 }
  ])
  t.strictSame(budget.status().used, { stop: 1, mutation: 1, read: 5, other: 0 })
  t.equal(budget.status().sent, 7)
})

t.test('a long life leaves nothing behind', async t => {
  const { budget, call, clock } = budgetOf({ quota: { calls: 1_000, seconds: 1 } })
  for (let i = 0; i < 20_000; i++) {
    call('read', `tenant-${i % 10}`)
    clock.advance(2)
  }
  t.ok(budget.status().used.read < 1_000)
  clock.advance(2_000)
  t.strictSame(budget.status().used, { stop: 0, mutation: 0, read: 0, other: 0 })
  t.strictSame(budget.spent(), [])
})
