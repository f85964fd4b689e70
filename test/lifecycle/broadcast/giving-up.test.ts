import t from 'tap'
import { MeetingNotFound, UpstreamRefused } from '../../../src/domain/refusals/failures.ts'
import { reconciling } from '../../support/broadcast/reconciling.ts'

t.test('a stop that is given up keeps what the vendor said, in the store and in the audit log', async t => {
  const { sent, ends, operations, events } = await reconciling(t)
  const stop = await sent('stop', { requestId: 'lost' })
  const said = { upstreamStatus: 409, upstreamReason: 'not now' }
  t.equal(await ends.giveUp(stop, new UpstreamRefused({ outcome: 'failed', ...said })), true)
  t.match(await operations.find(stop.id), {
    state: 'failed',
    upstreamStatus: 409,
    reason: 'not now',
    answer: { status: 502, body: { error: { type: 'upstream_refused', outcome: 'failed', request_id: 'lost' } } }
  })
  t.match(await events(), [
    {
      metadata: { correlation_uid: 'lost' },
      status_code: '502',
      status_detail: 'settled',
      unmapped: { outcome: 'failed', upstream_status: 409, upstream_reason: 'not now' }
    }
  ])
})

t.test('one that is given up for reasons of our own speaks for no vendor, and keeps what was said before', async t => {
  const { sent, ends, operations, events } = await reconciling(t)
  const before = { upstreamStatus: 503, reason: 'busy' }
  const stop = await sent('stop', {}, { state: 'unknown', ...before })
  t.equal(await ends.giveUp(stop, new MeetingNotFound({ outcome: 'failed' })), true)
  t.match(await operations.find(stop.id), { state: 'failed', ...before })
  const [event] = await events()
  t.equal(event?.status_code, '404')
  t.notMatch(Object.keys(event?.unmapped ?? {}).join(), /upstream_(status|reason)/)
})
