import t from 'tap'
import { simulate } from '../../support/simulator/helper.ts'

const live = (meeting: string): [string, string] => ['GET', `/meetings/${meeting}/active-livestream`]
const stop = (meeting: string): [string, string] => ['POST', `/meetings/${meeting}/active-livestream/stop`]

for (const nothingLive of ['404', '400', '409', '500'] as const) {
  t.test(`nothingLive ${nothingLive} is the status of a look at a meeting that is not live`, async t => {
    const { simulator, call, started } = await simulate(t, { nothingLive })
    const { id } = simulator.addMeeting()
    const refused = {
      status: Number(nothingLive),
      json: {
        success: false,
        error: { code: Number(nothingLive), message: `No active livestream found for meeting_id ${id}` }
      }
    }
    t.match(await call(...live(id)), refused)
    const { meeting } = await started()
    t.equal((await call(...live(meeting))).status, 200)
    await call(...stop(meeting))
    t.equal((await call(...live(meeting))).status, Number(nothingLive))
  })
}

for (const [nothingLive, data] of [
  ['null', null],
  ['empty', {}]
] as const) {
  t.test(`nothingLive ${nothingLive} is a success with nothing in it`, async t => {
    const { simulator, call } = await simulate(t, { nothingLive })
    const { id } = simulator.addMeeting()
    const { status, json } = await call(...live(id))
    t.equal(status, 200)
    t.strictSame(json, { success: true, data })
  })
}

t.test('a run that is hidden looks as if nothing were live, however that looks', async t => {
  const { call, clock, started } = await simulate(t, { nothingLive: 'null', activeDuringInvoked: '404' })
  const { meeting } = await started()
  t.strictSame((await call(...live(meeting))).json, { success: true, data: null })
  clock.pass(2_000)
  t.match((await call(...live(meeting))).json, { data: { status: 'LIVE' } })
})

t.test('an unknown meeting is a 404, whatever nothing live is', async t => {
  const { call } = await simulate(t, { nothingLive: '500' })
  t.equal((await call(...live('00000000-0000-4000-8000-000000000000'))).status, 404)
})

t.test('activeShowsEnded shows the last livestream as it ended, where there is one', async t => {
  const { simulator, call, started } = await simulate(t, { activeShowsEnded: true, nothingLive: '500' })
  const { id } = simulator.addMeeting()
  t.equal((await call(...live(id))).status, 500)
  const { meeting, livestream } = await started()
  await call(...stop(meeting))
  t.match(await call(...live(meeting)), { status: 200, json: { data: { id: livestream, status: 'IDLE' } } })
  await call('POST', `/meetings/${meeting}/livestreams`)
  t.match((await call(...live(meeting))).json, { data: { status: 'INVOKED' } })
  simulator.end(livestream, 'ERRORED')
  t.match((await call(...live(meeting))).json, { data: { id: livestream, status: 'ERRORED' } })
})
