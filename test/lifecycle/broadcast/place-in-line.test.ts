import t from 'tap'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { queuedCalls, times } from '../../support/broadcast/queued-calls.ts'
import { says } from '../../support/campaigns/trouble.ts'
import type { Reply } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

const { aMeeting, simulator, store, directory, withKey, door, inLine } = await queuedCalls(t)
const mutations = (sent: string[]): string[] => sent.filter(call => call !== 'look')

t.test('a stop whose leader may not go on keeps its place before a later start: the last word is start', async t => {
  const { start, stop, sent, isLive } = await aMeeting()
  const leader = await withKey('acme', ['livestreams:stop'])
  door.hold('POST')
  const [starting] = await inLine([start])
  await until(() => door.held().length === 1)
  const [leading] = await inLine([() => stop(leader.call)])
  const [joined] = await inLine([() => stop()])
  const [last] = await inLine([start])
  await apiKeysIn(store).revoke(leader.id, Date.now())
  await directory.pull()
  door.release()
  t.equal((await starting)?.statusCode, 201)
  t.equal((await leading)?.statusCode, 401)
  t.equal((await joined)?.statusCode, 200)
  t.equal((await last)?.statusCode, 201)
  t.strictSame(mutations(sent()), ['start', 'stop', 'start'])
  t.ok(isLive())
})

t.test('a start whose leader may not go on keeps its place before a later stop: the last word is stop', async t => {
  const { id, start, stop, sent, isLive } = await aMeeting()
  simulator.startFromBrowser(id)
  const leader = await withKey('acme', ['livestreams:start'])
  door.hold('POST')
  const [stopping] = await inLine([stop])
  await until(() => door.held().length === 1)
  const [leading] = await inLine([() => start(leader.call)])
  const [joined] = await inLine([start])
  const [last] = await inLine([stop])
  await apiKeysIn(store).revoke(leader.id, Date.now())
  await directory.pull()
  door.release()
  t.equal((await stopping)?.statusCode, 200)
  t.equal((await leading)?.statusCode, 401)
  t.equal((await joined)?.statusCode, 201)
  t.equal((await last)?.statusCode, 200)
  t.strictSame(mutations(sent()), ['stop', 'start', 'stop'])
  t.notOk(isLive())
})

t.test(
  'starts that wait for a run that is ending give way to a stop together: nothing is started behind it',
  async t => {
    const { aMeeting, inLine } = await queuedCalls(t, { simulator: { stoppingForMs: 60_000 } })
    const { start, stop, sent } = await aMeeting()
    t.equal((await start()).statusCode, 201)
    t.equal((await stop()).statusCode, 200)
    const before = sent().length
    const starting = await inLine([start])
    await until(() => sent().length > before)
    starting.push(...(await inLine([start, start])))
    t.equal((await stop()).statusCode, 200)
    const told = (await Promise.all(starting)).map(reply => says(reply as Reply))
    t.strictSame(
      told,
      times(3, () => '409 still_stopping not_sent')
    )
    t.strictSame(mutations(sent()), ['start', 'stop', 'stop'])
  }
)
