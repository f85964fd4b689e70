import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { MeetingQueue } from '../../../src/lifecycle/broadcast/meeting-queue.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { manualClock } from '../../support/clock.ts'
import type { Reply } from '../../support/gateway.ts'
import { led } from '../../support/turns.ts'
import { until } from '../../support/until.ts'

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

t.test('a call that has waited is checked again: a meeting that was given away meanwhile is not started', async t => {
  const { asAcme, asGlobex, meeting, store, directory, door, inLine } = await gatewayBehindDoor(t, { slowDisk: true })
  const { meetingsIn } = await import('../../../src/store/tables/meetings.ts')
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
  const queue = new MeetingQueue<string, string>(manualClock())
  const starting = Promise.withResolvers<string>()
  const order: string[] = []
  const start = led(queue.enterStart('m', 'acme', 0), () => starting.promise)
  const stop = led(queue.enterStop('m', 'acme'), async ({ waited }) => {
    order.push(`stopped, waited: ${waited}`)
    return 'stopped'
  })
  const idle = queue.idle().then(() => order.push('idle'))
  starting.reject(new Error('the start failed'))
  await t.rejects(start, { message: 'the start failed' })
  t.equal(await stop, 'led: stopped')
  await idle
  t.strictSame(order, ['stopped, waited: true', 'idle'])
})

/** Meetings whose stops wait behind something, and that are asked to stop by many. */
function crowd() {
  const queue = new MeetingQueue<string, string>(manualClock())
  const gate = Promise.withResolvers<void>()
  const blocked = new Set<string>()
  return {
    open: () => gate.resolve(),
    /** So many stops of one meeting: the first leads, and the others join it. Gives how each of them ended, as it comes. */
    stops(tenantId: string, id: string, count: number): Promise<string>[] {
      if (!blocked.has(id)) void queue.inTurn(id, () => gate.promise)
      blocked.add(id)
      return Array.from({ length: count }, () =>
        led(queue.enterStop(id, tenantId), async () => 'stopped').catch(({ type }) => type)
      )
    }
  }
}

/** How many of these ended so by now. */
async function count(ends: Promise<string>[], how: string): Promise<number> {
  await turn()
  const soFar = await Promise.all(ends.map(end => Promise.race([end, 'waits'])))
  return soFar.filter(end => end === how).length
}

t.test(
  'a thousand stops of one tenant may wait for others, and those of another tenant may wait all the same',
  async t => {
    const { stops, open } = crowd()
    // 64 in each of 15 meetings, and 40 in the next: those who lead wait for nobody.
    const waiting = Array.from({ length: 16 }, (_, i) => stops('acme', `m${i}`, i < 15 ? 65 : 41)).flat()
    t.equal(await count(waiting, 'stop_under_way'), 0)
    const beyond = stops('acme', 'm15', 1)
    t.strictSame(await Promise.all(beyond), ['stop_under_way'])
    const elsewhere = stops('acme', 'm16', 2)
    t.equal(await count(elsewhere, 'stop_under_way'), 1, 'the one that leads is never refused')
    const others = stops('globex', 'n1', 65)
    t.equal(await count(others, 'stop_under_way'), 0)
    t.strictSame(await Promise.all(stops('globex', 'n1', 1)), ['stop_under_way'], '64 of one meeting')

    open()
    const ends = await Promise.all([...waiting, ...others])
    t.equal(ends.filter(end => end === 'led: stopped').length, 17)
    t.equal(ends.filter(end => end === 'joined: stopped').length, 1_064)
  }
)

t.test('a call that has had the answer of a stop waits no more: as many again may', async t => {
  const { stops, open } = crowd()
  for (const attempt of ['first', 'second']) {
    const waiting = Array.from({ length: 15 }, (_, i) => stops('acme', `${attempt}-${i}`, 65)).flat()
    const rest = stops('acme', `${attempt}-15`, 42)
    t.equal(await count([...waiting, ...rest], 'stop_under_way'), 1, attempt)
    open()
    await Promise.all([...waiting, ...rest])
  }
})

async function statuses(...replies: (Promise<Reply> | undefined)[]): Promise<(number | undefined)[]> {
  return (await Promise.all(replies)).map(reply => reply?.statusCode)
}
