import t from 'tap'
import { noLiveLimits } from '../../../src/domain/ends/live-limits.ts'
import type { Run } from '../../../src/domain/runs/run.ts'
import { MeetingEnds } from '../../../src/lifecycle/ends/meeting-ends.ts'
import { OpenRuns, RunHub } from '../../../src/lifecycle/ledger/hub.ts'
import { manualClock } from '../../support/clock.ts'
import { after, seen } from '../../support/ledger/news.ts'

const place = { upstream: 'default', meetingId: 'm1' }

/** A run whose meeting had the session `s1`, and the stops that were ordered. */
function world() {
  const clock = manualClock()
  const run = { ...(after(seen(clock.now(), 'LIVE')).run as Run), meetingSessionId: 's1' }
  const openRuns = new OpenRuns({ runs: { open: async () => [run] }, hub: new RunHub({ error() {} }), clock })
  openRuns.put(run)
  const ordered: string[] = []
  const failed: string[] = []
  const meetingEnds = new MeetingEnds({
    openRuns,
    clock,
    upstreams: new Map(),
    limitsOf: () => noLiveLimits,
    limitsFromMs: () => 0,
    changeEnd: async run => run,
    orderStop: async (run, cause, isWanted) => {
      if (isWanted?.(openRuns.get(run.id) ?? run)) ordered.push(cause)
    },
    bounded: work => work(AbortSignal.timeout(60_000)),
    log: { info: (_, message) => void failed.push(message), error() {} }
  })
  return { meetingEnds, openRuns, run, ordered, failed, clock }
}

t.test('the vendor says that the session of a run has ended: it is stopped at once', async t => {
  const { meetingEnds, ordered } = world()
  await meetingEnds.noticed({ ...place, sessionId: 's1', event: 'meeting.ended' })
  t.strictSame(ordered, ['meeting_ended'])
})

t.test('late word of an earlier session, of another meeting or of a begin ends nothing', async t => {
  const { meetingEnds, ordered } = world()
  await meetingEnds.noticed({ ...place, sessionId: 's0', event: 'meeting.ended' })
  await meetingEnds.noticed({ ...place, meetingId: 'm2', sessionId: 's1', event: 'meeting.ended' })
  await meetingEnds.noticed({ ...place, upstream: 'other', sessionId: 's1', event: 'meeting.ended' })
  await meetingEnds.noticed({ ...place, sessionId: 's1', event: 'meeting.started' })
  t.strictSame(ordered, [])
})

t.test('a meeting whose look fails is looked at again in a minute, and nothing is concluded', async t => {
  const { meetingEnds, failed, ordered, clock } = world()
  clock.advance(59_999)
  await meetingEnds.round()
  t.equal(failed.length, 0, 'a run that has just begun costs no look')
  clock.advance(1)
  await meetingEnds.round()
  await meetingEnds.round()
  t.equal(failed.length, 1)
  clock.advance(60_000)
  await meetingEnds.round()
  t.equal(failed.length, 2)
  await meetingEnds.noticed({ ...place, sessionId: 's2', event: 'meeting.started' })
  await meetingEnds.round()
  t.equal(failed.length, 3, 'a new session is looked at at once')
  t.strictSame(ordered, [])
})
