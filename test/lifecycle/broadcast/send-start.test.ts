import t from 'tap'
import type { Caller } from '../../../src/domain/caller.ts'
import { AuditUnavailable, LiveElsewhere, UpstreamFailed } from '../../../src/domain/refusals/failures.ts'
import { type SendStartDeps, type StartOutcome, sendStart } from '../../../src/lifecycle/broadcast/send-start.ts'
import { KnownMeetings } from '../../../src/lifecycle/resources/known-meetings.ts'
import type { Upstreams } from '../../../src/upstream/provider.ts'
import { meetingId, reconciling, type TestContext } from '../../support/broadcast/reconciling.ts'

/** A start that the vendor refuses in its own words, and which nothing shown explains. */
async function refused(t: TestContext) {
  const { clock, livestreams } = await reconciling(t)
  let sent = 0
  const provider = {
    async start() {
      sent += 1
      throw new LiveElsewhere({ upstreamStatus: 409 })
    }
  }
  const nothing = async () => ({ livestream: null, isNobodys: false, isEnding: false, isUnclear: false, isWeak: false })
  return {
    sent: () => sent,
    send(
      again: () => Promise<void>,
      whatRuns: SendStartDeps['whatRuns'] = nothing,
      withinMs = 60_000
    ): Promise<StartOutcome> {
      const send = sendStart({
        recheckPermission: async () => {},
        upstreams: new Map([['default', { on: () => provider, habits: {} }]]) as unknown as Upstreams,
        livestreams,
        knownMeetings: new KnownMeetings(livestreams, async () => false),
        whatRuns,
        outdated() {},
        endingRuns: { isRecent: () => false } as unknown as SendStartDeps['endingRuns'],
        clock
      })
      const never = new AbortController().signal
      const wait = { signal: never, stopWanted: never, endsAtMs: clock.monotonic() + withinMs }
      const meeting = { id: meetingId, tenantId: 'acme', upstream: 'default' }
      return send({ caller: {} as Caller, meeting, wish: {}, trail: { again } }, wait)
    }
  }
}

t.test('a second sending that cannot be recorded, or is not allowed any more, does not go out', async t => {
  for (const trouble of [new AuditUnavailable({ outcome: 'not_sent' }), new Error('late')]) {
    const { send, sent } = await refused(t)
    const outcome = await send(() => Promise.reject(trouble))
    t.equal(sent(), 1)
    t.match(outcome, { nothingCame: true })
    const isOurs = trouble instanceof AuditUnavailable
    t.match(outcome, { error: isOurs ? { type: 'audit_unavailable', outcome: 'failed' } : { type: 'already_live' } })
  }
})

t.test('a refused start whose look fails has come to nothing, and is not sent again', async t => {
  const { send, sent } = await refused(t)
  const look = () => Promise.reject(new UpstreamFailed({ outcome: 'not_sent', upstreamStatus: 503 }))
  const outcome = await send(async () => {}, look)
  t.match(outcome, { nothingCame: true, error: { type: 'upstream_failed', outcome: 'failed', upstreamStatus: 503 } })
  t.equal(sent(), 1)
})

t.test('nothing is taken as known when a look after a refused start ends in a fault of our own', async t => {
  const { send, sent } = await refused(t)
  const fault = new TypeError('a fault')
  const outcome = await send(
    async () => {},
    () => Promise.reject(fault)
  )
  t.strictSame(outcome, { error: fault, nothingCame: false })
  t.equal(sent(), 1)
})

t.test('while the run that was stopped is shown, a refusal means that it is still stopping', async t => {
  const { send, sent } = await refused(t)
  const ending = async () => ({ livestream: null, isNobodys: false, isEnding: true, isUnclear: false, isWeak: false })
  // No time is left for a second sending.
  const outcome = await send(async () => {}, ending, 1_000)
  t.match(outcome, { nothingCame: true, error: { type: 'still_stopping', outcome: 'not_sent', upstreamStatus: 409 } })
  t.equal(sent(), 1)
})
