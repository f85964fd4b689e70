import t from 'tap'
import { Checkpointer, type CheckpointerOptions } from '../../../src/audit/checkpointer.ts'
import { openNote, type Signer } from '../../../src/audit/proof/note.ts'
import { readStatement } from '../../../src/audit/proof/statements.ts'
import type { ChainHead, StoredNote } from '../../../src/domain/audit/audit-chain.ts'
import { emptyHead, logName, newSigner } from '../../support/audit/helper.ts'
import { manualClock, steps } from '../../support/clock.ts'
import { until } from '../../support/until.ts'

/** A log in memory with its checkpointer. `log.signer` is the key that signs by what the store says. */
function world(t: { teardown(fn: () => unknown): void }, options: Partial<CheckpointerOptions> = {}) {
  const signer = newSigner()
  const clock = manualClock()
  const log = {
    head: emptyHead as ChainHead,
    signer,
    written: [] as StoredNote[],
    published: [] as StoredNote[],
    troubles: [] as string[],
    /** Each thing that is done throws this, until it is null again. */
    broken: null as string | null,
    /** Answer about the head that was signed before. */
    holds: true,
    asked: [] as ChainHead[],
    reads: 0
  }
  const work = async (): Promise<void> => {
    if (log.broken !== null) throw new Error(log.broken)
  }
  const checkpointer = new Checkpointer({
    log: logName,
    signer,
    clock,
    async head() {
      log.reads += 1
      await work()
      return log.head
    },
    async holds(head) {
      log.asked.push(head)
      return log.holds
    },
    async write(note, publicKey) {
      await work()
      if (publicKey !== log.signer.publicKey) return false
      log.written.push(note)
      return true
    },
    reload: async () => log.signer,
    async publish(note) {
      log.published.push(note)
    },
    onTrouble: error => log.troubles.push((error as Error).message),
    everyMs: 60_000,
    ...options
  })
  t.teardown(() => checkpointer.close())
  return { checkpointer, log, clock, signer }
}

const headAt = (seq: number): ChainHead => ({ seq, hash: String(seq % 10).repeat(64) })
/** Statement of a note, when this key has signed it. */
const said = (note: StoredNote | undefined, { publicKey }: Signer) =>
  readStatement(openNote(note?.note ?? '', publicKey) ?? '')

t.test('a checkpoint says where the log stands, of which log, and when; what is written is published', async t => {
  const { checkpointer, log, clock, signer } = world(t)
  log.head = headAt(42)
  clock.advance(5_000)
  await checkpointer.sign()
  const [note] = log.written
  t.match(note, { kind: 'checkpoint', seq: 42, timeMs: clock.now() })
  t.strictSame(said(note, signer), { kind: 'checkpoint', log: logName, timeMs: clock.now(), head: headAt(42) })
  t.strictSame(log.published, log.written)
})

t.test('it tells how long nothing was signed, also where the first signature fails', async t => {
  const { checkpointer, log, clock } = world(t)
  log.broken = 'the disk is full'
  await checkpointer.start()
  clock.advance(70_000)
  t.strictSame(checkpointer.signed(), { seq: 0, ageMs: 70_000 })
  log.broken = null
  log.head = headAt(42)
  await checkpointer.sign()
  clock.advance(9_000)
  t.strictSame(checkpointer.signed(), { seq: 42, ageMs: 9_000 })
})

t.test('it signs at the start, then again and again, also when nothing happens, and last at its end', async t => {
  const { checkpointer, log } = world(t, { everyMs: 2 })
  await checkpointer.start()
  t.equal(log.written.length, 1)
  await until(() => log.written.length >= 4)
  log.head = headAt(7)
  await checkpointer.close()
  t.equal(log.written.at(-1)?.seq, 7)
  const atEnd = log.written.length
  const other = world(t, { everyMs: 2 })
  await other.checkpointer.start()
  await until(() => other.log.written.length >= 10)
  t.equal(log.written.length, atEnd, 'and not after it')
})

t.test('it signs every 1,000 events, whatever the time', async t => {
  const { checkpointer, log } = world(t)
  for (let seq = 1; seq < 1_000; seq++) checkpointer.noticed()
  t.equal(log.reads, 0)
  log.head = headAt(1_000)
  checkpointer.noticed()
  await until(() => log.written.length === 1)
  for (let seq = 1; seq < 1_000; seq++) checkpointer.noticed()
  t.strictSame([log.reads, log.asked], [1, []])
  checkpointer.noticed()
  await until(() => log.written.length === 2)
  t.strictSame(log.troubles, [])
})

t.test('a caller that asks while it signs shares the checkpoint under way', async t => {
  const held = Promise.withResolvers<ChainHead>()
  let asked = 0
  const head = () => {
    asked += 1
    return held.promise
  }
  const { checkpointer, log } = world(t, { head })
  const all = Array.from({ length: 10 }, () => checkpointer.sign())
  held.resolve(headAt(3))
  await Promise.all(all)
  t.equal(asked, 1)
  t.equal(log.written.length, 1)
  await checkpointer.sign()
  t.equal(log.written.length, 2)
})

t.test('a checkpoint that is not written is not published', async t => {
  const { checkpointer, log } = world(t)
  log.broken = 'disk full'
  await t.rejects(checkpointer.sign(), { message: 'disk full' })
  t.strictSame(log.published, [])
})

t.test('trouble is told, and it goes on: the next checkpoint is written as soon as it can be', async t => {
  const { checkpointer, log } = world(t, { everyMs: 2 })
  log.broken = 'disk full'
  await checkpointer.start()
  t.strictSame(log.troubles, ['disk full'], 'a full disk is no reason not to start')
  await until(() => log.troubles.length >= 3)
  log.broken = null
  await until(() => log.written.length > 0)
  log.broken = 'gone'
  await checkpointer.close()
  t.equal(log.troubles.at(-1), 'gone', 'also at the end, which it does not prevent')
})

t.test('trouble behind an event is told too, and the event does not wait for it', async t => {
  const { checkpointer, log } = world(t, { everyEvents: 1 })
  log.broken = 'disk full'
  t.equal(checkpointer.noticed(), undefined)
  await until(() => log.troubles.length > 0)
  t.strictSame(log.troubles, ['disk full'])
  log.broken = null
})

t.test('a checkpointer goes on with the new key when another process has changed it', async t => {
  const { checkpointer, log, signer } = world(t)
  await checkpointer.sign()
  log.signer = newSigner()
  log.head = headAt(9)
  await checkpointer.sign()
  t.equal(log.written.length, 2)
  t.equal(said(log.written[1], signer), null)
  t.match(said(log.written[1], log.signer), { head: headAt(9) })
  await checkpointer.sign()
  t.match(said(log.written[2], log.signer), { head: headAt(9) })
})

t.test('without the key that signs by now nothing is signed, and that is told', async t => {
  const { checkpointer, log, signer } = world(t, { reload: async () => signer })
  log.signer = newSigner()
  await t.rejects(checkpointer.sign(), { message: 'the key that signs the audit log is not here' })
  t.strictSame([log.written, log.published], [[], []])
})

t.test(
  'it signs no log but the one that it has signed before: who writes it again gets no signature for it',
  async t => {
    const { checkpointer, log } = world(t)
    log.head = headAt(5)
    await checkpointer.sign()
    t.strictSame(log.asked, [])
    log.head = headAt(8)
    await checkpointer.sign()
    t.strictSame(log.asked, [headAt(5)])
    log.holds = false
    const changed = { message: 'event 8 is not the one that was signed: somebody has changed the audit log' }
    await t.rejects(checkpointer.sign(), changed)
    await t.rejects(checkpointer.sign(), changed, 'and so it stays')
    t.strictSame(
      log.written.map(({ seq }) => seq),
      [5, 8]
    )
    log.holds = true
  }
)

t.test('the first event after the clock was set is signed at once, and those after it are not', async t => {
  for (const stepMs of steps) {
    const { checkpointer, log, clock, signer } = world(t)
    await checkpointer.start()
    for (let i = 0; i < 10; i++) {
      clock.advance(1_000)
      checkpointer.noticed()
    }
    await checkpointer.sign()
    const before = log.written.length
    clock.step(stepMs)
    checkpointer.noticed()
    log.head = headAt(1)
    await until(() => log.written.length === before + 1)
    t.equal(said(log.written.at(-1), signer)?.timeMs, clock.now())
    for (let i = 0; i < 10; i++) checkpointer.noticed()
    await new Promise(setImmediate)
    t.equal(log.written.length, before + 1, `${stepMs} ms`)
  }
})
