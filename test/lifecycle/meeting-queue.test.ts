import t from 'tap'
import { MeetingQueue } from '../../src/lifecycle/meeting-queue.ts'
import type { Reply } from '../support/gateway.ts'
import { until } from '../support/until.ts'
import { gatewayBehindDoor } from './door.ts'

t.test('the last word counts: stop, start, stop leaves nothing live, and start, stop, start leaves a run', async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator, door, inLine } = await gatewayBehindDoor(t, {
    slowDisk: true
  })
  const stateOf = (id: string) => simulator.livestreams().find(({ meeting_id }) => meeting_id === id)?.status
  const posts = (path: string) => simulator.journal.filter(({ target }) => target === path).length

  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const stopPath = `/v2/meetings/${meeting}/active-livestream/stop`
  door.hold('POST')
  const first = asAcme('POST', stopPath)
  await until(() => door.held().length === 1)
  const [between] = await inLine([() => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)])
  const [last] = await inLine([() => asAcme('POST', stopPath)])
  door.release()
  t.strictSame(await statuses(first, between, last), [200, 201, 200])
  t.equal(posts(stopPath), 2)
  t.equal(stateOf(meeting), 'IDLE')

  const startPath = `/v2/meetings/${otherMeeting}/livestreams`
  door.hold('POST')
  const begun = asGlobex('POST', startPath)
  await until(() => door.held().length === 1)
  const [ended] = await inLine([() => asGlobex('POST', `/v2/meetings/${otherMeeting}/active-livestream/stop`)])
  const [again] = await inLine([() => asGlobex('POST', startPath)])
  door.release()
  t.strictSame(await statuses(begun, ended, again), [201, 200, 201])
  t.equal(stateOf(otherMeeting), 'LIVE')
})

t.test('who has waited is asked again: a meeting that was given away meanwhile is not started', async t => {
  const { asAcme, asGlobex, meeting, store, directory, door, inLine } = await gatewayBehindDoor(t, { slowDisk: true })
  const { meetingsIn } = await import('../../src/store/meetings.ts')
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  door.hold('POST')
  const stopping = asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  await until(() => door.held().length === 1)
  const [waiting] = await inLine([() => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)])
  await meetingsIn(store).release(meeting, Date.now())
  await meetingsIn(store).assign('globex', 'default', [meeting], Date.now())
  await directory.pull()
  door.release()
  t.equal((await stopping).statusCode, 200)
  const refused = await waiting
  t.equal(refused?.statusCode, 404)
  t.equal(refused?.json().error.type, 'meeting_not_found')
  t.equal((await asGlobex('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 404, 'nothing runs')
})

t.test('idle waits for everything in the queues', async t => {
  const queue = new MeetingQueue<string, string>()
  const starting = Promise.withResolvers<string>()
  const order: string[] = []
  const start = queue.start('m', () => starting.promise)
  const stop = queue.stop({ id: 'm', tenantId: 'acme' }, async ({ waited }) => {
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

async function statuses(...replies: (Promise<Reply> | undefined)[]): Promise<(number | undefined)[]> {
  return (await Promise.all(replies)).map(reply => reply?.statusCode)
}
