import t from 'tap'
import type { Run } from '../../src/domain/runs/run.ts'
import { moveRuns } from '../../src/domain/runs/run-moves.ts'
import { after, gone, how, place, refused, seen, sent, session, started, stopped } from '../support/ledger/news.ts'

t.test(
  'a start of ours is told of when the vendor has begun it, when it is on air, and when we have stopped it',
  async t => {
    const playbackUrl = 'https://playback.example/1.m3u8'
    const { run, told } = after(
      ...[sent(1_000), started(1_200), seen(4_000, 'LIVE'), seen(5_000, 'LIVE', { playbackUrl }), stopped(9_000)]
    )
    t.strictSame(told, ['starting', 'live', 'ended'])
    t.match(run, { id: 'run of op-1', operationId: 'op-1', livestreamId: 'ls-1', status: 'ended', playbackUrl })
    t.match(run, { createdAtMs: 1_000, invokedAtMs: 1_000, liveAtMs: 4_000, endedAtMs: 9_000, endedBy: 'tenant' })
  }
)

t.test('a start that comes to nothing is told to nobody, and has no livestream', async t => {
  const { run, told } = after(sent(1_000), refused(1_500))
  t.strictSame(told, [])
  t.match(run, { status: 'errored', livestreamId: null, endedAtMs: 1_500, endedBy: null })
  t.equal(after(sent(1_000), refused(1_500), refused(1_600)).run?.endedAtMs, 1_500)
})

t.test('a start whose answer was lost may have begun what is over by now', async t => {
  const late = { ...started(9_000), status: 'IDLE' }
  t.strictSame(after(sent(1_000), late as never).told, ['ended'])
})

t.test('a run that is found begins when the vendor says that it began, and never later than now', async t => {
  t.match(after(seen(9_000, 'LIVE', { session: session('s1', 2_000, { startedAtMs: 4_000 }) })), {
    run: { id: 'found', operationId: null, sessionId: 's1', invokedAtMs: 2_000, liveAtMs: 4_000, createdAtMs: 9_000 },
    told: ['live']
  })
  t.match(after(seen(9_000, 'LIVE', { session: session('s1', 99_000, { startedAtMs: 99_000 }) })).run, {
    invokedAtMs: 9_000,
    liveAtMs: 9_000
  })
  const dated = after(seen(9_000, 'LIVE'), seen(10_000, 'LIVE', { session: session('s1', 2_000) })).run
  t.match(dated, { invokedAtMs: 2_000, liveAtMs: 9_000, sessionId: 's1' }, 'its session is shown by a later look')
})

t.test('a livestream that does not run, or waits for an encoder without a meeting, is no run', async t => {
  for (const status of ['IDLE', 'OFFLINE', 'ERRORED']) t.equal(after(seen(1_000, status)).run, null, status)
  t.equal(after(seen(1_000, 'INVOKED', { meetingId: null })).run, null)
  t.match(after(seen(1_000, 'LIVE', { meetingId: null })).run, { status: 'live', meetingId: null })
  t.match(after(seen(1_000, 'WARMING_UP')).run, { status: 'invoked' }, 'a word that nobody knows counts as a run')
})

t.test('one look that shows nothing ends no run, two that are apart do, at the time of the first', async t => {
  const live = [seen(1_000, 'LIVE')]
  t.equal(after(...live, gone(2_000)).run?.status, 'live')
  t.equal(after(...live, gone(2_000), gone(2_499)).run?.status, 'live', 'they are too near')
  t.match(after(...live, gone(2_000), gone(2_500)).run, { status: 'ended', endedAtMs: 2_000, endedBy: 'outside' })
  t.equal(after(...live, gone(2_000), seen(3_000, 'LIVE'), gone(4_000)).run?.status, 'live', 'it was seen between them')
  t.match(after(...live, gone(2_000), gone(1_900)).run, { status: 'ended' }, 'the clock was set back meanwhile')
})

t.test('the vendor may hide for a while what we have begun, and not longer', async t => {
  const begun = [sent(1_000), started(1_200)]
  t.match(after(...begun, gone(5_000), gone(9_000), seen(12_000, 'IDLE')).run, { status: 'invoked', quietLooks: 0 })
  t.match(after(...begun, gone(31_000), gone(33_000)).run, { status: 'ended', endedBy: 'outside' })
  const over = session('s1', 1_100, { stoppedAtMs: 3_000 })
  t.match(after(...begun, seen(5_000, 'IDLE', { session: over })).run, { status: 'ended', endedAtMs: 3_000 })
})

t.test('a livestream that says that its run is over is believed, unless it shows an earlier one', async t => {
  t.match(after(seen(1_000, 'LIVE'), seen(2_000, 'IDLE')).run, { status: 'ended', endedAtMs: 2_000 })
  t.match(after(seen(1_000, 'LIVE'), seen(2_000, 'ERRORED')), {
    run: { status: 'errored', endedBy: 'vendor_error' },
    told: ['live', 'errored']
  })
  const earlier = session('s0', -90_000, { stoppedAtMs: -60_000 })
  t.match(after(seen(1_000, 'INVOKED'), seen(2_000, 'IDLE', { session: earlier })).run, {
    status: 'invoked',
    quietLooks: 1
  })
  const own = session('s1', 900, { stoppedAtMs: 1_500 })
  t.match(after(seen(1_000, 'INVOKED'), seen(2_000, 'IDLE', { session: own })).run, {
    status: 'ended',
    endedAtMs: 1_500
  })
})

t.test(
  'a run that is over stays over while the vendor may still show it, and another session is another run',
  async t => {
    const over = [seen(1_000, 'LIVE', { session: session('s1', 500) }), stopped(2_000)]
    for (const late of [
      seen(3_000, 'LIVE'),
      seen(3_000, 'LIVE', { session: session('s1', 500) }),
      seen(90_000, 'LIVE', { session: session('s1', 500, { stoppedAtMs: 2_000 }) })
    ])
      t.match(after(...over, late).run, { status: 'ended', endedAtMs: 2_000 })
    t.match(after(...over, seen(3_000, 'LIVE', { session: session('s2', 2_500) })).run, {
      status: 'live',
      sessionId: 's2',
      invokedAtMs: 2_500
    })
    t.match(
      after(...over, seen(90_000, 'LIVE', { session: session('s1', 500) })).run,
      { status: 'live', invokedAtMs: 90_000 },
      'it was not stopped at all: a run of its own counts from now on'
    )
    const unnamed = [seen(1_000, 'LIVE'), stopped(2_000)]
    t.match(after(...unnamed, seen(3_000, 'LIVE', { session: session('s2', 2_500) })).run, { status: 'live' })
    t.match(after(...unnamed, seen(3_000, 'LIVE', { session: session('s1', 1_500) })).run, { status: 'ended' })
  }
)

/** All runs after this news, each by its id. */
function runsAfter(...all: Parameters<typeof moveRuns>[1][]): Run[] {
  const runs = new Map<string, Run>()
  for (const [i, news] of all.entries())
    for (const { after } of moveRuns([...runs.values()], news, { ...how, newId: `found ${i}` }))
      runs.set(after.id, after)
  return [...runs.values()]
}

t.test('a sighting during a start is its run, and the answer to the start says whether that is so', async t => {
  t.match(runsAfter(sent(1_000), seen(1_500, 'LIVE')), [{ id: 'run of op-1', status: 'live', operationId: 'op-1' }])
  t.match(runsAfter(sent(1_000), seen(1_500, 'LIVE'), started(1_600)), [{ status: 'live', operationId: 'op-1' }])
  t.match(runsAfter(sent(1_000), seen(1_500, 'LIVE'), refused(1_600)), [{ status: 'live', operationId: null }])
  t.match(runsAfter(sent(1_000), seen(1_500, 'LIVE', { livestreamId: 'ls-2' }), started(1_600)), [
    { id: 'run of op-1', livestreamId: 'ls-2', operationId: null, status: 'live' },
    { id: 'found 2', livestreamId: 'ls-1', operationId: 'op-1', status: 'invoked' }
  ])
  const old = session('s0', -90_000)
  t.match(runsAfter(sent(1_000), seen(1_500, 'LIVE', { session: old })), [
    { status: 'starting' },
    { operationId: null }
  ])
})

t.test('a start ends the run before it of the same livestream, and may find its own already there', async t => {
  t.match(runsAfter(seen(1_000, 'INVOKED'), sent(60_000), started(60_100)), [
    { id: 'found 0', status: 'ended', endedBy: 'outside' },
    { id: 'run of op-1', status: 'invoked' }
  ])
  t.match(runsAfter(seen(1_000, 'INVOKED'), started(1_100)), [
    { id: 'found 0', operationId: 'op-1', status: 'invoked' }
  ])
  t.match(runsAfter(started(1_100)), [{ id: 'found 0', operationId: 'op-1', status: 'invoked' }])
})

t.test('a meeting may have two runs: what names no livestream is about both, and what names one is not', async t => {
  const two = [seen(1_000, 'LIVE'), seen(1_000, 'LIVE', { livestreamId: 'ls-2' })]
  t.match(runsAfter(...two, stopped(2_000)), [{ status: 'ended' }, { status: 'live' }])
  t.match(runsAfter(...two, stopped(2_000, null)), [{ status: 'ended' }, { status: 'ended' }])
  t.match(runsAfter(...two, stopped(2_000, 'ls-3')), [{ status: 'live' }, { status: 'live' }])
  t.match(runsAfter(...two, gone(2_000, 'ls-3')), [{ quietLooks: 0 }, { quietLooks: 0 }])
  t.match(runsAfter(...two, gone(2_000, null)), [{ quietLooks: 1 }, { quietLooks: 1 }])
  t.match(runsAfter(sent(1_000), stopped(2_000, null), gone(2_000, null)), [{ status: 'starting', quietLooks: 0 }])
})

t.test('another session of a livestream is another run, and so is that of another tenant', async t => {
  const first = seen(1_000, 'LIVE', { session: session('s1', 500) })
  t.match(runsAfter(first, seen(9_000, 'LIVE', { session: session('s2', 8_000) })), [
    { sessionId: 's1', status: 'ended', endedBy: 'outside' },
    { sessionId: 's2', status: 'live' }
  ])
  t.match(runsAfter(first, seen(9_000, 'LIVE', { tenantId: 'globex' })), [
    { tenantId: 'acme', status: 'ended', endedBy: 'operator' },
    { ...place, tenantId: 'globex', status: 'live' }
  ])
})

t.test(
  'a run that is about to end is warned of, ends for the cause that was decided, and a decision moves no other run',
  async t => {
    const end = (atMs: number, change: object, runId = 'run of op-1') =>
      ({ ...place, kind: 'end', atMs, runId, livestreamId: 'ls-1', change, reason: 'max_duration' }) as const
    const live = [sent(1_000), started(1_200), seen(4_000, 'LIVE')]
    const { run, told } = after(
      ...[...live, end(5_000, { deadlineAtMs: 65_000, maxDurationSeconds: 64 }), end(6_000, { warnedForMs: 65_000 })],
      ...[end(6_500, { warnedForMs: 65_000 }), end(65_000, { endingBy: 'max_duration' }), gone(66_000), gone(67_000)]
    )
    t.strictSame(told, ['starting', 'live', 'ending_soon', 'ended'])
    t.match(run, { deadlineAtMs: 65_000, maxDurationSeconds: 64, endedBy: 'max_duration', endedAtMs: 66_000 })
    t.match(after(...live, end(5_000, { endingBy: 'max_duration' }), stopped(6_000)).run, { endedBy: 'tenant' })
    const [known] = [after(...live).run as Run]
    t.strictSame(moveRuns([known], end(5_000, { endingBy: 'never_live' }, 'another run'), how), [])
  }
)
