import t from 'tap'
import { manualClock, steps } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'

/** A vendor that hides a run until it is LIVE, and a run that doesn't become LIVE while the test goes on. */
const hiding = { activeDuringInvoked: '404', startWhileLive: 'second', liveAfterMs: 3_600_000 } as const

t.test(
  'under contract L1 an OFFLINE run counts as coming for the time of reconciling, and looking does not prolong it',
  async t => {
    const clock = manualClock()
    const { asAcme, meeting, simulator } = await gateway(t, {
      clock,
      simulator: { ...hiding, contract: 'L1', livestreamId: 'new' }
    })
    const path = `/v2/meetings/${meeting}`
    const { id } = (await asAcme('POST', `${path}/livestreams`)).json().data
    simulator.end(id) // past the gateway: L1 has no word for it
    for (let look = 0; look < 3; look++) {
      clock.advance(9_000)
      t.equal((await asAcme('GET', '/v2/livestreams')).json().data[0].status, 'INVOKED')
      t.equal((await asAcme('GET', `/v2/livestreams/${id}`)).json().data.livestream.status, 'INVOKED')
      t.equal((await asAcme('POST', `${path}/livestreams`)).json().data.id, id)
    }
    clock.advance(4_000)
    t.equal((await asAcme('GET', `${path}/active-livestream`)).statusCode, 404, 'after 31 s the vendor is believed')
    const anew = await asAcme('POST', `${path}/livestreams`)
    t.equal(anew.statusCode, 201)
    t.not(anew.json().data.id, id)
  }
)

for (const contract of ['L1', 'L2'] as const) {
  t.test(`a late look at an older livestream does not hide the run that is coming: ${contract}`, async t => {
    const clock = manualClock()
    const { asAcme, meeting, simulator } = await gateway(t, {
      clock,
      simulator: { ...hiding, contract, livestreamId: 'new' }
    })
    const path = `/v2/meetings/${meeting}`
    const older = (await asAcme('POST', `${path}/livestreams`)).json().data.id
    await asAcme('POST', `${path}/active-livestream/stop`)
    clock.advance(1_000)
    const { id } = (await asAcme('POST', `${path}/livestreams`)).json().data
    clock.advance(1_000)
    await asAcme('GET', `/v2/livestreams/${older}`)
    const again = await asAcme('POST', `${path}/livestreams`)
    t.equal(again.statusCode, 200)
    t.equal(again.json().data.id, id)
    t.strictSame(
      simulator.livestreams().map(({ starts }) => starts),
      [1, 1],
      'the second call started nothing'
    )
  })
}

t.test('a clock that is set neither ends that time nor prolongs it', async t => {
  for (const stepMs of steps) {
    const clock = manualClock()
    const { asAcme, meeting, simulator } = await gateway(t, {
      clock,
      simulator: { ...hiding, contract: 'L1', livestreamId: 'new' }
    })
    const path = `/v2/meetings/${meeting}`
    const { id } = (await asAcme('POST', `${path}/livestreams`)).json().data
    simulator.end(id)
    clock.advance(9_000)
    clock.step(stepMs)
    t.equal((await asAcme('GET', '/v2/livestreams')).json().data[0].status, 'INVOKED', `${stepMs} ms`)
    const again = await asAcme('POST', `${path}/livestreams`)
    t.equal(again.json().data.id, id, 'nothing second is started')
    clock.advance(22_000)
    t.equal((await asAcme('GET', `${path}/active-livestream`)).statusCode, 404, 'after 31 s the vendor is believed')
    t.equal((await asAcme('GET', '/v2/livestreams')).json().data[0].status, 'OFFLINE')
  }
})

t.test('one that the vendor does not have yet is not over, and later it is, whatever the clock says', async t => {
  for (const stepMs of steps) {
    const clock = manualClock()
    const { asAcme, meeting, simulator } = await gateway(t, { clock, simulator: hiding })
    const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
    const body = { success: false, error: { code: 404, message: 'no such livestream' } }
    simulator.fail({ match: { method: 'GET', path: `/livestreams/${id}` }, status: 404, body })
    const status = async () => (await asAcme('GET', '/v2/livestreams')).json().data[0].status
    clock.step(stepMs)
    clock.advance(9_000)
    t.equal(await status(), 'INVOKED', `${stepMs} ms`)
    clock.advance(22_000)
    t.equal(await status(), 'OFFLINE', `${stepMs} ms`)
  }
})
