import t from 'tap'
import { toAuditEvent } from '../../src/audit/ocsf.ts'
import { ReadRollup, type ReadRollupOptions } from '../../src/audit/rollup.ts'
import type { AuditEvent, AuditOutcome } from '../../src/domain/audit/audit-event.ts'
import { systemClock } from '../../src/domain/values/clock.ts'
import { callOf, startMs } from '../support/audit/helper.ts'
import { manualClock, steps } from '../support/clock.ts'
import fc, { runs } from '../support/runner/properties.ts'
import { until } from '../support/until.ts'

const minute = 60_000

interface Read {
  key?: string
  tenantId?: string
  action?: string
  resource?: string
  outcome?: AuditOutcome
}

/** A roll-up whose minutes pass when they are told to. */
function world(options: Partial<ReadRollupOptions> = {}) {
  const clock = manualClock()
  const written: AuditEvent[] = []
  const rollup = new ReadRollup({ reads: 'rollup', append: event => written.push(event), clock, ...options })
  let passedMs = 0
  return {
    rollup,
    written,
    pass(ms: number) {
      passedMs += ms
      clock.advance(ms)
    },
    read({ key = 'k1', tenantId = 'acme', action = 'getLivestream', resource = 'm1', outcome = 'done' }: Read = {}) {
      const subject = { keyId: key, tenantId, action, resources: [{ type: 'meeting' as const, uid: resource }] }
      const call = callOf({ subject, ending: { outcome }, timeMs: startMs + passedMs })
      rollup.append(call)
      return toAuditEvent(call.subject, call.ending, call.timeMs)
    },
    /** Counts the reads behind what was written so far, each in its event. */
    counts: () => written.map(({ count }) => count ?? 1)
  }
}

const sum = (counts: number[]): number => counts.reduce((all, count) => all + count, 0)

t.test('the first read is on record at once, those of the minute after it as one event with their count', async t => {
  const { rollup, written, pass, read } = world()
  const first = read()
  t.strictSame(written, [first])
  for (let i = 0; i < 4; i++) {
    pass(10_000)
    read()
  }
  rollup.tick()
  t.equal(written.length, 1, 'the minute is not over')
  pass(20_000)
  rollup.tick()
  t.equal(written.length, 2)
  const times = { start_time: startMs + 10_000, end_time: startMs + 40_000, time: startMs + 40_000 }
  t.match(written[1], { ...times, count: 4, resources: first.resources, unmapped: { outcome: 'done', key_id: 'k1' } })
})

t.test('a clock that is set does not turn a count around', async t => {
  for (const stepMs of steps) {
    const { rollup, written, pass } = world()
    const call = callOf({ subject: { action: 'getLivestream' }, ending: { outcome: 'done' }, timeMs: startMs })
    for (const timeMs of [startMs, startMs + 1, startMs + stepMs]) rollup.append({ ...call, timeMs })
    pass(minute)
    rollup.tick()
    const [first, last] = [startMs + 1, startMs + stepMs].sort((a, b) => a - b)
    t.match(written.at(-1), { count: 2, start_time: first, end_time: last, time: last })
  }
})

t.test('a reader that goes on is counted minute by minute, without a first one in between', async t => {
  const { rollup, pass, read, counts } = world()
  for (let second = 0; second < 180; second++) {
    read()
    pass(1_000)
  }
  rollup.tick()
  t.strictSame(counts(), [1, 59, 60, 60])
})

t.test('after a silent minute a read is a first one again', async t => {
  const { rollup, written, pass, read } = world()
  read()
  read()
  pass(minute)
  rollup.tick()
  t.equal(written.length, 2)
  pass(minute)
  rollup.tick()
  t.equal(written.length, 2, 'of a silent minute nothing is told')
  const again = read()
  t.strictSame(written.at(-1), again)
})

t.test('the worst outcome of a minute stands for all of it, of equal ones the last', async t => {
  const { rollup, written, read, pass } = world()
  read()
  read()
  const failed = read({ outcome: 'failed' })
  pass(30_000)
  read()
  rollup.close()
  t.match(written[1], {
    start_time: startMs,
    end_time: startMs + 30_000,
    time: startMs + 30_000,
    count: 3,
    status_id: 2,
    metadata: failed.metadata,
    unmapped: { outcome: 'failed' }
  })

  const good = world()
  good.read()
  good.read()
  const last = good.read()
  good.rollup.close()
  t.match(good.written[1], { count: 2, status_id: 1, metadata: last.metadata })
})

t.test('a single read of a minute is what it was, without a count', async t => {
  const { rollup, written, read, pass } = world()
  read()
  pass(5_000)
  const second = read()
  rollup.close()
  t.strictSame(written[1], second)
})

t.test('each key, tenant, operation and resource has minutes of its own', async t => {
  const { written, read } = world()
  const reads: Read[] = [{}, { key: 'k2' }, { tenantId: 'globex' }, { action: 'getMeeting' }, { resource: 'm2' }]
  const first = reads.map(read)
  t.strictSame(written, first)
  reads.forEach(read)
  t.equal(written.length, reads.length)
})

t.test('mutations, refusals, open questions and reads that show a stream key pass as they are', async t => {
  for (const reads of ['rollup', 'none', 'all'] as const) {
    const { rollup, written } = world({ reads })
    const passing = [
      callOf({ subject: { method: 'POST', action: 'startLivestream' } }),
      callOf({ subject: { method: 'PUT', action: 'stopLivestream' }, ending: { outcome: 'pending' } }),
      callOf({ ending: { outcome: 'refused', status: 404 } }),
      callOf({ ending: { outcome: 'unknown' } }),
      callOf({ ending: { outcome: 'not_sent' } }),
      callOf({ ending: { streamKeyRevealed: true } })
    ]
    const twice = [...passing, ...passing]
    for (const call of twice) rollup.append(call)
    const events = twice.map(({ subject, ending, timeMs }) => toAuditEvent(subject, ending, timeMs))
    t.strictSame(written, events, reads)
    rollup.close()
    t.equal(written.length, twice.length)
  }
})

t.test('all: each read on its own; none: no read at all', async t => {
  const all = world({ reads: 'all' })
  const reads = [all.read(), all.read(), all.read({ outcome: 'failed' })]
  t.strictSame(all.written, reads)
  const none = world({ reads: 'none' })
  none.read()
  none.read({ outcome: 'failed' })
  none.rollup.close()
  t.strictSame(none.written, [])
})

t.test('at the end every count is written, also of minutes that are not over', async t => {
  const { rollup, read, counts } = world()
  for (const resource of ['m1', 'm2', 'm2', 'm3', 'm3', 'm3']) read({ resource })
  rollup.close()
  t.strictSame(counts(), [1, 1, 1, 1, 2])
  rollup.close()
  t.equal(sum(counts()), 6, 'once')
})

t.test('a minute that is over is written without anybody reading again', async t => {
  const { rollup, read, counts } = world({ clock: systemClock, windowMs: 5 })
  t.teardown(() => rollup.close())
  read()
  read()
  read({ resource: 'm2' })
  await until(() => counts().length === 3)
  read()
  read({ resource: 'm2' })
  await until(() => sum(counts()) === 5)
})

t.test('a key that reads 100,000 resources fills no memory: what has no room is counted together', async t => {
  const { rollup, written, read, pass, counts } = world()
  for (let i = 0; i < 100_000; i++) read({ resource: `m${i}` })
  t.equal(written.length, 5_000, 'so many minutes are open, and one for all others')
  const other = read({ key: 'k2' })
  t.not(written.at(-1), other, 'another key has no room left, but a count of its own')
  pass(minute)
  rollup.tick()
  t.strictSame(counts().slice(5_000), [95_000, 1])
  t.strictSame(written[5_000]?.resources, [])
  t.match(written[5_000], { unmapped: { key_id: 'k1' } })
  t.strictSame(written[5_001], other)
  const again = read({ resource: 'm0' })
  t.notSame(written.at(-1), again, 'who goes on is counted on')
  t.strictSame(read({ key: 'k3' }), written.at(-1), 'and there is room for others')
  rollup.close()
  t.equal(sum(counts()), 100_003)
})

t.test('the counts are as many as the reads, whatever is read and however time passes', async t => {
  const anyRead = fc.record({
    key: fc.constantFrom('k1', 'k2'),
    resource: fc.constantFrom('m1', 'm2', 'm3', 'm4'),
    outcome: fc.constantFrom<AuditOutcome>('done', 'failed')
  })
  const step = fc.integer({ min: 0, max: 2 * minute })
  fc.assert(
    fc.property(fc.array(fc.oneof(anyRead, step)), fc.integer({ min: 1, max: 5 }), (acts, maxWindows) => {
      const { rollup, written, read, pass, counts } = world({ maxWindows })
      let reads = 0
      for (const act of acts) {
        if (typeof act === 'number') {
          pass(act)
          rollup.tick()
        } else {
          reads += 1
          read(act)
        }
        if (sum(counts()) > reads) return false
      }
      rollup.close()
      const ordered = written.every(
        ({ start_time: from, end_time: to, time }) => from === undefined || (to === time && from <= time)
      )
      return sum(counts()) === reads && ordered
    }),
    { numRuns: runs(500) }
  )
  t.pass('none is left out, none is counted twice')
})
