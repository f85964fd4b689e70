import t from 'tap'
import { monthOf, noLiveLimits } from '../../../src/domain/ends/live-limits.ts'
import { endOf, isExempt, isToBeWarned, limited, spentAt, spentOf, wished } from '../../../src/domain/ends/run-ends.ts'
import type { Run } from '../../../src/domain/runs/run.ts'
import { formatDuration, parseDuration } from '../../../src/domain/values/duration.ts'
import { after, seen, sent, session, started } from '../../support/ledger/news.ts'

const minute = 60_000
const hour = 60 * minute
/** Long after the upgrade. */
const beganAtMs = Date.UTC(2026, 4, 10)
const own = after(sent(beganAtMs), started(beganAtMs), seen(beganAtMs, 'LIVE')).run as Run
const found = after(seen(beganAtMs, 'LIVE', { session: session('s1', beganAtMs - hour) })).run as Run
const facts = { limits: noLiveLimits, limitsFromMs: 1_000, neverLiveMs: 15 * minute, nowMs: beganAtMs }

t.test('a run of before the upgrade is exempt from limits, but not from the wish of its tenant', async t => {
  t.equal(isExempt(own, beganAtMs + 1), true)
  t.equal(isExempt(found, beganAtMs - minute), true)
  t.equal(isExempt(found, beganAtMs - 2 * hour), false)
  const undated = { ...found, sessionId: null }
  t.equal(isExempt(undated, beganAtMs - 2 * hour), false)
  t.equal(isExempt({ ...undated, invokedAtMs: beganAtMs }, beganAtMs - minute), true, 'nobody has told when it began')
  const limits = { ...noLiveLimits, maxDurationSeconds: 60 }
  const late = { ...facts, limits, limitsFromMs: beganAtMs + 1 }
  t.equal(limited(own, late), null)
  t.equal(endOf({ ...own, status: 'invoked' }, { ...late, nowMs: beganAtMs + hour }), null)
  t.match(endOf({ ...own, deadlineAtMs: 5, maxDurationSeconds: 60 }, late), { atMs: 5, by: 'max_duration' })
})

t.test('a limit that comes to a run later is never at once, and never extends it', async t => {
  const limits = { ...noLiveLimits, maxDurationSeconds: 60, defaultDurationSeconds: 30 }
  const nowMs = beganAtMs + hour
  const given = { ...facts, limits, nowMs }
  t.strictSame(limited(found, given), { maxDurationSeconds: 30, deadlineAtMs: nowMs + 11 * minute })
  const ends = { maxDurationSeconds: 7_200, deadlineAtMs: nowMs + 2 * minute }
  t.strictSame(limited({ ...own, ...ends }, given), { maxDurationSeconds: 60, deadlineAtMs: ends.deadlineAtMs })
  t.equal(limited({ ...own, maxDurationSeconds: 60, deadlineAtMs: nowMs + 1 }, given), null)
  t.equal(limited(own, { ...facts, nowMs }), null)
  t.equal(limited({ ...found, meetingId: null }, given), null, 'nobody can stop it: no end is promised')
})

t.test('a wish counts from the start of the run, and one that joins leaves it a minute', async t => {
  t.equal(wished(own, 600, beganAtMs)?.deadlineAtMs, beganAtMs + 10 * minute)
  t.equal(wished(own, 600, beganAtMs + hour)?.deadlineAtMs, beganAtMs + hour)
  t.equal(wished(own, 600, beganAtMs + hour, true)?.deadlineAtMs, beganAtMs + hour + minute)
  t.equal(wished({ ...own, deadlineAtMs: beganAtMs + minute }, 600, beganAtMs, true), null)
})

t.test('the first end counts; what cannot be stopped has none', async t => {
  const invoked = { ...own, status: 'invoked' } as const
  t.match(endOf(invoked, facts), { by: 'never_live', atMs: beganAtMs + 15 * minute })
  t.equal(endOf({ ...invoked, isManual: true }, facts), null)
  t.match(endOf({ ...invoked, deadlineAtMs: 7 }, facts), { by: 'max_duration', atMs: 7 })
  t.match(endOf({ ...found, status: 'invoked' }, { ...facts, neverLiveMs: 0 }), { atMs: beganAtMs + 11 * minute })
  t.equal(endOf({ ...own, meetingId: null, deadlineAtMs: 7 }, facts), null)
  t.equal(endOf({ ...own, status: 'ended', deadlineAtMs: 7 }, facts), null)
  t.match(endOf({ ...own, endingBy: 'meeting_ended' }, facts), { by: 'meeting_ended', atMs: beganAtMs })
  t.equal(endOf({ ...own, endingBy: 'never_live' }, facts), null, 'it is on air by now')
})

t.test('a tenant is warned once of an end, and again of one that is much later', async t => {
  const end = { atMs: beganAtMs + 61_000, by: 'max_duration' } as const
  t.equal(isToBeWarned(own, end, beganAtMs), false)
  t.equal(isToBeWarned(own, end, beganAtMs + 1_000), true)
  const warned = { ...own, warnedForMs: end.atMs }
  t.equal(isToBeWarned(warned, end, beganAtMs + 1_000), false)
  t.equal(isToBeWarned(warned, { ...end, atMs: end.atMs + hour }, end.atMs + hour), true)
  t.equal(isToBeWarned({ ...own, livestreamId: null }, end, beganAtMs + 1_000), false)
})

t.test('minutes are spent by all that is on air, within the month', async t => {
  const liveSinceMs = [beganAtMs - 10 * minute, beganAtMs - 20 * minute]
  const use = { endedMs: 30 * minute, liveSinceMs }
  t.equal(spentAt(use, 100, beganAtMs), beganAtMs + 20 * minute)
  t.equal(spentAt({ ...use, liveSinceMs: [] }, 100, beganAtMs), null)
  t.equal(spentAt(use, 1_000_000, beganAtMs), null, 'not in this month')
  const { startMs, endMs, name } = monthOf(beganAtMs)
  t.strictSame(
    [new Date(startMs).toISOString(), new Date(endMs).toISOString(), name],
    ['2026-05-01T00:00:00.000Z', '2026-06-01T00:00:00.000Z', '2026-05']
  )
  t.equal(spentAt({ endedMs: 0, liveSinceMs: [startMs - hour] }, 60, startMs), startMs + hour, 'a month begins anew')
})

t.test(
  'the end for spent minutes is written down when it is near, and comes no nearer than the warning allows',
  async t => {
    const nowMs = beganAtMs + hour
    t.equal(spentOf(own, null, nowMs), null)
    t.equal(spentOf(own, nowMs + hour, nowMs), null)
    t.equal(spentOf(own, nowMs + 5 * minute, nowMs), nowMs + 5 * minute)
    t.equal(spentOf(own, nowMs - minute, nowMs), nowMs + 11 * minute, 'the limit was lowered')
    t.equal(spentOf(own, beganAtMs, beganAtMs + minute), beganAtMs + 2 * minute, 'it has just begun')
    const kept = { ...own, spentAtMs: nowMs + 5 * minute }
    t.equal(spentOf(kept, nowMs + 5 * minute + 1_000, nowMs), kept.spentAtMs)
    t.equal(spentOf(kept, nowMs + 8 * minute, nowMs), nowMs + 8 * minute)
    t.equal(spentOf(kept, nowMs + 2 * minute, nowMs), nowMs + 2 * minute)
    t.equal(spentOf(kept, nowMs + 1, nowMs), kept.spentAtMs)
  }
)

t.test('durations are read and written in the largest unit', async t => {
  for (const text of ['10s', '90m', '4h', '30d']) t.equal(formatDuration(parseDuration(text) ?? 0), text)
  t.equal(formatDuration(120 * minute), '2h')
  for (const text of ['', '4', '0h', '-1h', '1.5h', '4 h', 'h', '12345678s']) t.equal(parseDuration(text), null, text)
})
