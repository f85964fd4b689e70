import t from 'tap'
import { MeetingQueue } from '../../src/lifecycle/meeting-queue.ts'
import { gateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'

t.test('the last word counts: stop, start, stop leaves nothing live, and start, stop, start leaves a run', async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator } = await gateway(t)
  const stateOf = (id: string) => simulator.livestreams().find(({ meeting_id }) => meeting_id === id)?.status
  const posts = (path: string) => simulator.journal.filter(({ target }) => target === path).length

  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const stopPath = `/v2/meetings/${meeting}/active-livestream/stop`
  simulator.failNext({ match: { path: stopPath.slice(3) }, delayMs: 300 })
  const first = asAcme('POST', stopPath)
  await until(() => posts(stopPath) === 1)
  const between = asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await new Promise(resolve => setTimeout(resolve, 50)) // the start is in the queue
  const last = await asAcme('POST', stopPath)
  t.strictSame([(await first).statusCode, (await between).statusCode, last.statusCode], [200, 201, 200])
  t.equal(posts(stopPath), 2)
  t.equal(stateOf(meeting), 'IDLE')

  const startPath = `/v2/meetings/${otherMeeting}/livestreams`
  simulator.failNext({ match: { method: 'POST', path: startPath.slice(3) }, delayMs: 300 })
  const begun = asGlobex('POST', startPath)
  await until(() => posts(startPath) === 1)
  const ended = asGlobex('POST', `/v2/meetings/${otherMeeting}/active-livestream/stop`)
  await new Promise(resolve => setTimeout(resolve, 50)) // the stop is in the queue
  const again = await asGlobex('POST', startPath)
  t.strictSame([(await begun).statusCode, (await ended).statusCode, again.statusCode], [201, 200, 201])
  t.equal(stateOf(otherMeeting), 'LIVE')
})

t.test('who has waited is asked again: a meeting that was given away meanwhile is not started', async t => {
  const { asAcme, asGlobex, meeting, simulator, store, directory } = await gateway(t)
  const { meetingsIn } = await import('../../src/store/meetings.ts')
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  simulator.failNext({ match: { path: '/meetings/*/active-livestream/stop' }, delayMs: 300 })
  const before = simulator.journal.length
  const stopping = asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  await until(() => simulator.journal.length > before)
  const waiting = asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await new Promise(resolve => setTimeout(resolve, 50)) // the start is in the queue
  await meetingsIn(store).release(meeting, Date.now())
  await meetingsIn(store).assign('globex', 'default', [meeting], Date.now())
  await directory.pull()
  t.equal((await stopping).statusCode, 200)
  const refused = await waiting
  t.equal(refused.statusCode, 404)
  t.equal(refused.json().error.type, 'meeting_not_found')
  t.equal((await asGlobex('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 404, 'nothing runs')
})

t.test('idle waits for everything in the queues', async t => {
  const queue = new MeetingQueue<string, string>()
  const starting = Promise.withResolvers<string>()
  const order: string[] = []
  const start = queue.start('m', () => starting.promise)
  const stop = queue.stop('m', async ({ waited }) => {
    order.push(`stopped, waited: ${waited}`)
    return 'stopped'
  })
  const idle = queue.idle().then(() => order.push('idle'))
  starting.reject(new Error('the start failed'))
  await t.rejects(start, { message: 'the start failed' })
  t.strictSame(await stop, { result: 'stopped', led: true })
  await idle
  t.strictSame(order, ['stopped, waited: true', 'idle'])
})
