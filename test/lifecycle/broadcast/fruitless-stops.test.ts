import t from 'tap'
import { FruitlessStops } from '../../../src/lifecycle/broadcast/stop-rights.ts'
import type { Livestreams } from '../../../src/store/tables/livestreams.ts'
import { manualClock } from '../../support/clock.ts'

type LastOfMeeting = Livestreams['lastOfMeeting']

const seenAs = (status: string): LastOfMeeting => {
  const observed_at = new Date(0).toISOString()
  return async ({ id }) => ({ id: 'l1', meeting_id: id, status, observed_at })
}
const unreadable: LastOfMeeting = () => Promise.reject(new Error('disk'))
const ownStarts = { last: () => undefined }
const meetingOf = (id: string, tenantId = 'acme') => ({ id, tenantId, upstream: 'default' })

t.test('twenty fruitless stops of one tenant in a minute are a loop, whichever meetings they were for', async t => {
  const loopAt = async (lastOfMeeting: LastOfMeeting, tenantId = 'acme'): Promise<boolean> => {
    const stops = new FruitlessStops({ livestreams: { lastOfMeeting }, ownStarts, clock: manualClock() })
    for (let i = 0; i < 20; i++) stops.account(meetingOf(`m${i}`), true, null)
    return stops.isLoop(meetingOf('next', tenantId))
  }
  t.ok(await loopAt(async () => null), 'a meeting in which nothing was ever seen')
  t.ok(await loopAt(seenAs('IDLE')))
  t.notOk(await loopAt(seenAs('LIVE')), 'a run that is known to go on is stopped with all rights')
  t.notOk(await loopAt(unreadable), 'a store that cannot be read takes no rights away')
  t.notOk(await loopAt(async () => null, 'globex'), 'another tenant')
})

t.test('five fruitless stops of one meeting in a row are a loop, for ten seconds', async t => {
  const clock = manualClock()
  const stops = new FruitlessStops({ livestreams: { lastOfMeeting: seenAs('LIVE') }, ownStarts, clock })
  const isLoopAfter = async (count: number): Promise<boolean> => {
    for (let i = 0; i < count; i++) stops.account(meetingOf('m1'), true, null)
    return stops.isLoop(meetingOf('m1'))
  }
  t.notOk(await isLoopAfter(4))
  t.ok(await isLoopAfter(1))
  clock.advance(10_000)
  t.notOk(await isLoopAfter(0))
})
