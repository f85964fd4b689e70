import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { operationsIn } from '../../src/store/operations.ts'
import { commandLine, refused } from '../support/cli.ts'
import { doctorIn, environmentOf, fastWorld } from '../support/doctor.ts'
import { gateway, type WorldOptions } from '../support/gateway.ts'

/** A gateway that runs, and the command line of its operator. */
async function beside(t: Test, options: WorldOptions = {}) {
  const world = await gateway(t, options)
  const { simulator, storeFile } = world
  const cli = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}`, ...environmentOf(simulator) })
  const mutations = (): number => simulator.journal.filter(({ method }) => method !== 'GET').length
  return { ...world, cli, mutations }
}

t.test('without --yes it says what it would do, asks nobody and exits 2', async t => {
  const { cli, meeting, simulator } = await beside(t)
  const before = simulator.journal.length
  const outcome = await cli.run('doctor', '--probe-meeting', meeting)
  t.equal(outcome.code, 2)
  t.match(refused(outcome), /three livestreams at most in the meeting \S+, which the tenant acme has, at default/)
  t.match(refused(outcome), /bills.*nobody should use the meeting meanwhile: --yes does it$/)
  const nobodys = refused(await cli.run('doctor', '--probe-meeting', randomUUID()))
  t.notMatch(nobodys, /tenant/)
  t.match(refused(await cli.run('doctor', '--probe-meeting', meeting, '--upstream', 'rtk')), /there is no upstream rtk/)
  t.equal(simulator.journal.length, before)
})

t.test('it finds the switches beside a running gateway, which knows nothing of it', async t => {
  const { cli, meeting, asAcme, simulator } = await beside(t)
  const outcome = await doctorIn(fastWorld(), cli.env, { probeMeeting: meeting, yes: true, json: true })
  t.equal(outcome.code, 0)
  const { answers } = JSON.parse(outcome.stdout)
  t.match(answers, { contract: 'L2', 'start-while-live': '409', 'livestream-id': 'reused', 'live-after': '0' })
  t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 404)
  t.ok(simulator.livestreams().every(({ status }) => status === 'IDLE'))
})

t.test('what a gateway has started is left alone', async t => {
  const { cli, meeting, asAcme, simulator, mutations } = await beside(t)
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const before = mutations()
  const outcome = await cli.run('doctor', '--probe-meeting', meeting, '--yes')
  t.equal(outcome.code, 1)
  t.match(refused(outcome), /is live, or a call about it is open, as the store has it: name a meeting that nobody uses/)
  t.equal(mutations(), before)
  t.equal(simulator.livestreams()[0]?.status, 'LIVE')
})

t.test('a start whose outcome is not known keeps it away', async t => {
  const { cli, meeting, asAcme, simulator, store, mutations } = await beside(t, { config: { deadlineMs: 300 } })
  simulator.failNext({ match: { method: 'POST' }, stall: true })
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal((await operationsIn(store).unsettled()).length, 1)
  const before = mutations()
  t.match(refused(await cli.run('doctor', '--probe-meeting', meeting, '--yes')), /or a call about it is open/)
  t.equal(mutations(), before)
})

t.test('what a browser has started is seen at the vendor, also when it is only starting', async t => {
  const { cli, meeting, otherMeeting, simulator, mutations } = await beside(t, {
    simulator: { activeDuringInvoked: '404', liveAfterMs: 3_600_000 }
  })
  simulator.startFromBrowser(meeting)
  const outcome = await cli.run('doctor', '--probe-meeting', meeting, '--yes')
  t.equal(outcome.code, 1)
  t.match(refused(outcome), /is live: nothing was started, and what is live goes on$/)
  t.equal(mutations(), 0)
  t.equal(simulator.livestreams()[0]?.status, 'INVOKED')

  const none = randomUUID()
  t.equal(refused(await cli.run('doctor', '--probe-meeting', none, '--yes')), `default has no meeting ${none}`)
  simulator.failNext({ match: { path: '/meetings/*' }, status: 401 })
  const unasked = refused(await cli.run('doctor', '--probe-meeting', otherMeeting, '--yes'))
  t.match(unasked, /^default could not be asked: .*refused.*; nothing was started$/)
  simulator.failNext({ match: { path: '/meetings' }, status: 401 })
  t.equal(
    refused(await cli.run('doctor', '--probe-meeting', otherMeeting, '--yes')),
    'no credential of default is taken: `livegate doctor` says why'
  )
  t.equal(mutations(), 0)
})

t.test('what is shown as active is enough, whatever the lists say', async t => {
  const { cli, meeting, simulator, mutations } = await beside(t)
  simulator.startFromBrowser(meeting)
  simulator.failNext({ match: { path: '/livestreams' }, status: 200, body: { success: true, data: [] } })
  t.match(refused(await cli.run('doctor', '--probe-meeting', meeting, '--yes')), /is live: nothing was started/)
  t.equal(mutations(), 0)
})
