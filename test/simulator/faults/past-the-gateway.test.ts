import t from 'tap'
import { nobody, simulate } from '../../support/simulator/helper.ts'

t.test('a browser starts a livestream that no request began', async t => {
  const { simulator, call } = await simulate(t)
  const { id } = simulator.addMeeting()
  const begun = simulator.startFromBrowser(id)
  t.match(begun, { meeting_id: id, status: 'INVOKED', starts: 1 })
  t.match((await call('GET', `/meetings/${id}/active-livestream`)).json.data, { id: begun.id })
  t.equal(simulator.journal.length, 1)
  t.throws(() => simulator.startFromBrowser(id), { message: `meeting ${id} is live already` })
  t.throws(() => simulator.startFromBrowser(nobody), { message: `No meeting found with id ${nobody}` })
})

t.test('a second livestream can also come from a browser', async t => {
  const { simulator } = await simulate(t, { startWhileLive: 'second' })
  const { id } = simulator.addMeeting()
  t.not(simulator.startFromBrowser(id).id, simulator.startFromBrowser(id).id)
})

t.test('joining a meeting with live_stream_on_start starts its livestream, once', async t => {
  const { simulator } = await simulate(t)
  const { id } = simulator.addMeeting({ live_stream_on_start: true })
  const first = simulator.joinMeeting(id)
  t.match(first.livestream, { meeting_id: id, status: 'INVOKED' })
  t.strictSame(simulator.joinMeeting(id), { session_id: first.session_id, livestream: null })
  t.match(simulator.livestreams(), [{ starts: 1 }])
  const { id: retired } = simulator.addMeeting({ status: 'INACTIVE' })
  t.throws(() => simulator.joinMeeting(retired), { message: `meeting ${retired} is inactive` })
})

t.test('an encoder brings an independent livestream on air', async t => {
  const { simulator, clock, call, started } = await simulate(t)
  const { id } = (await call('POST', '/livestreams')).json.data
  t.match(simulator.ingest(id), { status: 'LIVE', meeting_id: null, starts: 1 })
  t.throws(() => simulator.ingest(id), { message: `livestream ${id} is running already` })
  clock.pass(1_000)
  simulator.end(id)
  t.match((await call('GET', `/livestreams/${id}`)).json.data.livestream, { status: 'IDLE' })
  const { livestream } = await started()
  t.throws(() => simulator.ingest(livestream), { message: `livestream ${livestream} takes its video from a meeting` })
  t.throws(() => simulator.end(nobody), { message: `No livestream found with id ${nobody}` })
})

t.test('a meeting can have a chosen id, but not one that is taken or no UUID', async t => {
  const { simulator } = await simulate(t)
  const { id } = simulator.addMeeting({ id: nobody, title: 'Chosen' })
  t.equal(id, nobody)
  t.throws(() => simulator.addMeeting({ id }), new RangeError(`meeting: "id" ${nobody} is taken`))
  t.throws(() => simulator.addMeeting({ id: 'x' }), new RangeError('meeting: "id" must be a UUID'))
})
