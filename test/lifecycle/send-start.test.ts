import t from 'tap'
import { AuditUnavailable, LiveElsewhere } from '../../src/domain/failures.ts'
import { KnownMeetings } from '../../src/lifecycle/known-meetings.ts'
import { type SendStartDeps, sendStart } from '../../src/lifecycle/send-start.ts'
import type { Upstreams } from '../../src/upstream/provider.ts'
import { meetingId, settling } from './settling.ts'

t.test('a second sending that cannot be recorded, or is not allowed any more, does not go out', async t => {
  const { clock, livestreams } = await settling(t)
  for (const trouble of [new AuditUnavailable({ outcome: 'not_sent' }), new Error('late')]) {
    let sent = 0
    const provider = {
      async start() {
        sent += 1
        throw new LiveElsewhere({ upstreamStatus: 409 })
      }
    }
    const send = sendStart({
      upstreams: new Map([['default', { on: () => provider, habits: {} }]]) as unknown as Upstreams,
      livestreams,
      knownMeetings: new KnownMeetings(livestreams),
      whatRuns: async () => ({ livestream: null, isEnding: false, isUnclear: false, isWeak: false }),
      outdated() {},
      endingRuns: { isRecent: () => false } as unknown as SendStartDeps['endingRuns'],
      clock
    })
    const never = new AbortController().signal
    const wait = { signal: never, stopWanted: never, endsAtMs: clock.monotonic() + 60_000 }
    const meeting = { id: meetingId, tenantId: 'acme', upstream: 'default' }
    const outcome = await send(meeting, {}, wait, () => Promise.reject(trouble))
    t.equal(sent, 1)
    t.match(outcome, { nothingCame: true })
    const isOurs = trouble instanceof AuditUnavailable
    t.match(outcome, { error: isOurs ? { type: 'audit_unavailable', outcome: 'failed' } : { type: 'already_live' } })
  }
})
