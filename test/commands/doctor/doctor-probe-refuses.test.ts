import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { commandLine, refused } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'
import { doctorIn, fastWorld } from '../../support/doctor.ts'
import { gateway } from '../../support/gateway.ts'

t.test('beside a running gateway', async t => {
  const { simulator, storeFile, store, meeting, otherMeeting, asAcme, asGlobex } = await gateway(t)
  const cli = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}`, ...environmentOf(simulator) })
  const mutations = (): number => simulator.journal.filter(({ method }) => method !== 'GET').length
  /** The line of a refusal, after which nothing may have been sent that changes anything. */
  const refusal = async (id: string): Promise<string> => {
    const before = mutations()
    const outcome = await cli.run('doctor', '--probe-meeting', id, '--yes')
    t.equal(outcome.code, 1)
    t.equal(mutations(), before)
    return refused(outcome)
  }

  await t.test('without --yes it says what it would do, asks nobody and exits 2', async t => {
    const before = simulator.journal.length
    const outcome = await cli.run('doctor', '--probe-meeting', meeting)
    t.equal(outcome.code, 2)
    t.match(refused(outcome), /four livestreams at most in the meeting \S+, which the tenant acme has, at default/)
    t.match(refused(outcome), /bills.*nobody should use the meeting meanwhile: --yes does it$/)
    const typed = await cli.run('doctor', '--probe-meeting', meeting.toUpperCase())
    t.match(refused(typed), `in the meeting ${meeting}, which the tenant acme has`)
    t.notMatch(refused(await cli.run('doctor', '--probe-meeting', randomUUID())), /tenant/)
    const elsewhere = await cli.run('doctor', '--probe-meeting', meeting, '--upstream', 'rtk')
    t.match(refused(elsewhere), /there is no upstream rtk/)
    t.equal(simulator.journal.length, before)
  })

  await t.test('it finds the switches, and the gateway knows nothing of it', async t => {
    const outcome = await doctorIn(fastWorld(), cli.env, { probeMeeting: meeting, yes: true, json: true })
    t.equal(outcome.code, 0)
    const { answers } = JSON.parse(outcome.stdout)
    t.match(answers, { contract: 'L2', 'start-while-live': '409', 'livestream-id': 'reused', 'live-after': '0' })
    t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 404)
    t.ok(simulator.livestreams().every(({ status }) => status === 'IDLE'))
  })

  await t.test('a livestream that a browser has started is seen at the vendor, whatever its lists say', async t => {
    const { id } = simulator.addMeeting()
    simulator.startFromBrowser(id)
    t.match(await refusal(id), /is live: nothing was started, and what is live goes on$/)
    simulator.failNext({ match: { path: '/livestreams' }, status: 200, body: { success: true, data: [] } })
    t.match(await refusal(id), /is live: nothing was started/)
    t.ok(simulator.livestreams().some(({ meeting_id, status }) => meeting_id === id && status === 'LIVE'))
  })

  await t.test('a vendor that has no such meeting, or lets nobody in', async t => {
    const none = randomUUID()
    t.equal(await refusal(none), `default has no meeting ${none}`)
    simulator.failNext({ match: { path: '/meetings/*' }, status: 401 })
    t.match(await refusal(meeting), /^default could not be asked: .*refused.*; nothing was started$/)
    simulator.failNext({ match: { path: '/meetings' }, status: 401 })
    t.equal(await refusal(meeting), 'no credential of default is taken: `livegate doctor` says why')
  })

  await t.test('a livestream that the gateway has started is left alone', async t => {
    await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    t.match(await refusal(meeting), /is live, or a call about it is open, as the store has it: name a meeting that/)
    t.ok(simulator.livestreams().some(({ meeting_id, status }) => meeting_id === meeting && status === 'LIVE'))
  })

  await t.test('a start whose outcome is not known keeps it away', async t => {
    simulator.failNext({ match: { method: 'POST' }, hangUp: true })
    await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)
    t.equal((await operationsIn(store).unsettled()).length, 1)
    t.match(await refusal(otherMeeting), /or a call about it is open/)
  })
})

t.test('a run that is only starting is seen too, where the vendor does not show it as active', async t => {
  const simulator = await createSimulator({ activeDuringInvoked: '404', liveAfterMs: 3_600_000 })
  t.teardown(() => simulator.close())
  const { id } = simulator.addMeeting()
  simulator.startFromBrowser(id)
  const env = { ...environmentOf(simulator), DATABASE_URL: `sqlite:${join(t.testdir(), 'none.db')}` }
  const { code, stderr } = await doctorIn(fastWorld(), env, { probeMeeting: id, yes: true })
  t.equal(code, 1)
  t.match(stderr, /is live: nothing was started, and what is live goes on$/m)
  t.ok(simulator.journal.every(({ method }) => method === 'GET'))
  t.equal(simulator.livestreams()[0]?.status, 'INVOKED')
})
