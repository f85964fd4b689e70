import t from 'tap'
import {
  Failure,
  LivestreamNotFound,
  UpstreamBudgetExhausted,
  UpstreamFailed,
  UpstreamThrottled,
  UpstreamTooLate
} from '../../../src/domain/refusals/failures.ts'
import { type Bounded, Changes } from '../../../src/lifecycle/context.ts'
import { type Seen, SharedReads } from '../../../src/lifecycle/reads/shared-reads.ts'
import { manualClock } from '../../support/clock.ts'
import fc, { runs } from '../../support/runner/properties.ts'

/** A vendor that answers when it is told to. */
function readsOf({ ttlMs = 1_000, maxEntries = 100, changes = new Changes() } = {}) {
  const clock = manualClock()
  // Nothing here is ever too late.
  const bounded: Bounded = (work, asked = new AbortController()) => work(asked.signal)
  const reads = new SharedReads<string>({ readTtlMs: ttlMs, changes, bounded, clock, maxEntries })
  const asked: { answer(value: string): void; fail(error: unknown): void; left: AbortSignal }[] = []
  const never = new AbortController().signal
  const read = (signal = never, key = 'acme/m1', subject = 'm1'): Promise<Seen<string>> =>
    reads.read({
      key,
      subject,
      signal: () => signal,
      ask: left =>
        new Promise((resolve, reject) => {
          asked.push({ answer: resolve, fail: reject, left })
        })
    })
  return { clock, changes, reads, asked, read }
}

t.test('those who ask together share one answer, and so do those who come within its time', async t => {
  const { asked, read, clock } = readsOf()
  const together = Array.from({ length: 100 }, () => read())
  asked[0]?.answer('live')
  const seen = await Promise.all(together)
  t.equal(asked.length, 1)
  t.strictSame(seen[0], { value: 'live', ageMs: 0, ttlMs: 1_000, how: 'miss' })
  t.strictSame(seen[99], { value: 'live', ageMs: 0, ttlMs: 1_000, how: 'collapsed' })
  clock.advance(999)
  t.strictSame(await read(), { value: 'live', ageMs: 999, ttlMs: 1, how: 'hit' })
  clock.advance(1)
  const next = read()
  asked[1]?.answer('over')
  t.match(await next, { value: 'over', how: 'miss' })
})

t.test('no stale answer is shown where changes of other replicas would go unheard', async t => {
  let isAway = false
  const alone = { isAway: () => isAway, outdate() {}, async told() {}, hear: () => null, onChange() {} }
  const { asked, read, clock } = readsOf({ changes: new Changes(alone) })
  const first = read()
  asked[0]?.answer('live')
  await first
  clock.advance(1_000)
  const stale = read()
  asked[1]?.fail(new UpstreamFailed())
  t.match(await stale, { value: 'live', how: 'stale' })
  isAway = true
  const refused = read()
  asked[2]?.fail(new UpstreamFailed())
  await t.rejects(refused, UpstreamFailed)
})

t.test("the answer is another reader's own when the one that asked first has hung up", async t => {
  const { asked, read } = readsOf()
  const hangsUp = new AbortController()
  const first = read(hangsUp.signal)
  const others = [read(), read()]
  hangsUp.abort()
  await t.rejects(first)
  asked[0]?.answer('live')
  t.strictSame(
    (await Promise.all(others)).map(({ how }) => how),
    ['miss', 'collapsed']
  )
})

t.test('with a time of zero only those who ask together share', async t => {
  const { asked, read } = readsOf({ ttlMs: 0 })
  const both = [read(), read()]
  asked[0]?.answer('live')
  await Promise.all(both)
  const later = read()
  asked[1]?.answer('over')
  t.match(await later, { value: 'over', how: 'miss' })
})

t.test('one key never gets the answer of another', async t => {
  const { asked, read } = readsOf()
  const [acme, globex] = [read(undefined, 'acme/m1'), read(undefined, 'globex/m1')]
  asked[1]?.answer("globex's")
  asked[0]?.answer("acme's")
  t.match(await acme, { value: "acme's" })
  t.match(await globex, { value: "globex's" })
})

t.test('a reader that hangs up leaves the others alone, and the last one who does ends the question', async t => {
  const { asked, read } = readsOf()
  const [first, second] = [new AbortController(), new AbortController()]
  const one = read(first.signal)
  const other = read(second.signal)
  first.abort()
  await t.rejects(one, new UpstreamTooLate())
  t.equal(asked[0]?.left.aborted, false)
  second.abort()
  await t.rejects(other, new UpstreamTooLate())
  t.equal(asked[0]?.left.aborted, true)
  const third = read()
  t.equal(asked.length, 2, 'who comes now does not wait for what was given up')
  asked[0]?.fail(new UpstreamFailed())
  asked[1]?.answer('live')
  t.match(await third, { value: 'live' })
  await t.rejects(read(AbortSignal.abort(), 'acme/m2', 'm2'), new UpstreamTooLate(), 'who has left before')
})

t.test('an answer from before a change is not shown after it', async t => {
  const { asked, read, changes, reads } = readsOf()
  const early = read()
  changes.note('m1')
  reads.keep('acme/m1', 'm1', 'nothing live')
  asked[0]?.answer('live')
  t.match(await early, { value: 'nothing live', how: 'hit' })
  t.match(await read(), { value: 'nothing live', how: 'hit' })
  t.equal(asked.length, 1)
})

t.test('a reader that comes after a change does not wait for an answer from before it', async t => {
  const { asked, read, changes } = readsOf()
  const early = read()
  changes.note('m1')
  const late = read()
  t.equal(asked.length, 2)
  asked[1]?.answer('over')
  t.match(await late, { value: 'over' })
  asked[0]?.answer('live')
  t.match(await early, { value: 'over', how: 'hit' }, 'and the early one gets what is true now')
})

t.test('an answer that was asked for before a change is not kept either', async t => {
  const { reads, changes } = readsOf()
  const before = changes.of('m1')
  changes.note('m1')
  reads.keep('acme/m1', 'm1', 'live', before)
  t.equal(reads.fresh('acme/m1', 'm1'), null)
  reads.keep('acme/m1', 'm1', 'over')
  t.match(reads.fresh('acme/m1', 'm1'), { value: 'over' })
})

const troubles: [name: string, failure: Failure, forMs: number][] = [
  ['when the vendor fails', new UpstreamFailed(), 60_000],
  ['when the quota is used up', new UpstreamBudgetExhausted(), 300_000],
  ['when the vendor asks for a pause', new UpstreamThrottled(), 300_000]
]
for (const [name, failure, forMs] of troubles) {
  t.test(`${name} the last answer is shown for ${forMs / 1_000} s, as stale, and then no longer`, async t => {
    const { asked, read, clock } = readsOf()
    const first = read()
    asked[0]?.answer('live')
    await first
    clock.advance(forMs)
    const stale = read()
    asked[1]?.fail(failure)
    t.strictSame(await stale, {
      value: 'live',
      ageMs: forMs,
      ttlMs: 1_000 - forMs,
      how: 'stale',
      reason: failure.type
    })
    clock.advance(1)
    const tooOld = read()
    asked[2]?.fail(failure)
    await t.rejects(tooOld, failure)
  })
}

t.test(
  'no stale answer is shown from before a change, for a refusal, or for what is no failure of the vendor',
  async t => {
    const { asked, read, clock, changes } = readsOf()
    const first = read()
    asked[0]?.answer('live')
    await first
    clock.advance(1_000)
    for (const [i, error] of [new LivestreamNotFound(), new TypeError('a bug')].entries()) {
      const refused = read()
      asked[i + 1]?.fail(error)
      await t.rejects(refused, error)
    }
    changes.note('m1')
    const changed = read()
    asked[3]?.fail(new UpstreamFailed())
    await t.rejects(changed, new UpstreamFailed())
  }
)

t.test('a failure is shared by those who wait, and kept by nobody', async t => {
  const { asked, read } = readsOf()
  const both = [read(), read()]
  asked[0]?.fail(new UpstreamFailed())
  for (const one of both) await t.rejects(one, new UpstreamFailed())
  const next = read()
  asked[1]?.answer('live')
  t.match(await next, { value: 'live' })
})

t.test('only so many answers are kept, and one that is forgotten meanwhile is asked for again', async t => {
  const { asked, read } = readsOf({ maxEntries: 3 })
  const first = read(undefined, 'acme/m0', 'm0')
  for (let i = 1; i < 10; i++) read(undefined, `acme/m${i}`, `m${i}`)
  asked[0]?.answer('live')
  t.match(await first, { value: 'live', how: 'miss' })
  for (const one of asked) one.answer('live')
  const again = read(undefined, 'acme/m1', 'm1')
  asked.at(-1)?.answer('over')
  t.match(await again, { value: 'over', how: 'miss' })
})

t.test('however reads, answers and changes cross, nobody sees what was true before a change they know of', async t => {
  type Step = 'read' | 'answer' | 'fail' | 'change' | 'wait'
  const steps = fc.array(fc.constantFrom<Step>('read', 'read', 'answer', 'fail', 'change', 'wait'), { maxLength: 60 })
  const property = fc.asyncProperty(steps, async order => {
    const { clock, changes, reads } = readsOf()
    let truth = 0
    const open: { answer(): void; fail(): void }[] = []
    const done: Promise<boolean>[] = []
    for (const step of order) {
      if (step === 'wait') clock.advance(400)
      if (step === 'change') {
        truth += 1
        changes.note('m1')
      }
      if (step === 'read') {
        const known = truth
        const seen = reads.read({
          key: 'acme/m1',
          subject: 'm1',
          signal: () => new AbortController().signal,
          ask: () => {
            const asked = truth
            return new Promise((resolve, reject) => {
              open.push({ answer: () => resolve(String(asked)), fail: () => reject(new UpstreamFailed()) })
            })
          }
        })
        done.push(
          seen.then(
            ({ value }) => Number(value) >= known,
            error => error instanceof Failure
          )
        )
      }
      if (step === 'answer') open.shift()?.answer()
      if (step === 'fail') open.shift()?.fail()
      await Promise.resolve()
    }
    for (let i = 0; i < 200; i++) {
      open.shift()?.answer()
      await Promise.resolve()
    }
    return (await Promise.all(done)).every(Boolean)
  })
  await fc.assert(property, { numRuns: runs(200) })
  t.pass('200 random orders')
})

t.test('an answer that is not to be kept is shared by those who ask together alone', async t => {
  const { reads, asked } = readsOf()
  const read = () =>
    reads.read({
      key: 'acme/m1?2',
      subject: 'm1',
      isKept: false,
      signal: () => new AbortController().signal,
      ask: left => new Promise((answer, fail) => asked.push({ answer, fail, left }))
    })
  const both = [read(), read()]
  asked[0]?.answer('page')
  t.strictSame(
    (await Promise.all(both)).map(({ value }) => value),
    ['page', 'page']
  )
  const later = read()
  t.equal(asked.length, 2)
  asked[1]?.answer('another')
  t.match(await later, { value: 'another', how: 'miss' })
})
