import t from 'tap'
import { createSimulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'
import { failureOf, providerAt } from '../../support/upstream/vendor.ts'

async function account(options: SimulatorOptions) {
  const simulator = await createSimulator({ liveAfterMs: 60_000, activeDuringInvoked: '404', ...options })
  t.teardown(() => simulator.close())
  const provider = providerAt(t, simulator)
  const meeting = simulator.addMeeting().id
  return { simulator, meeting, find: () => provider.findInMeeting(meeting, AbortSignal.timeout(60_000)) }
}

for (const lists of ['example', 'schema'] as const) {
  t.test(`a meeting tells its livestream whatever else the account has: lists as in the ${lists}`, async t => {
    const { simulator, meeting, find } = await account({ lists })
    t.strictSame(await find(), [], 'an account without livestreams')
    for (let i = 0; i < 120; i++) simulator.addLivestream({ name: 'x'.repeat(65_000) })
    t.strictSame(await find(), [])
    const { id } = simulator.startFromBrowser(meeting)
    const before = simulator.journal.length
    t.match(await find(), [
      { livestream: { id, status: 'INVOKED', meeting_id: meeting }, sessions: [{ livestream_id: id }] }
    ])
    t.equal(simulator.journal.length - before, 1, 'one call')
  })
}

t.test('contract L1 has no such list: its 404 is no word about the meeting', async t => {
  const { simulator, meeting, find } = await account({ contract: 'L1' })
  t.equal((await failureOf(find())).type, 'not_offered_by_upstream')
  simulator.startFromBrowser(meeting)
  t.equal((await failureOf(find())).type, 'not_offered_by_upstream')
})

t.test('a list that cannot be read is no empty one', async t => {
  const { simulator, meeting, find } = await account({})
  for (const path of [`/meetings/${meeting}/livestream`, '/livestreams']) {
    simulator.failNext([
      { match: { path }, status: 500 },
      { match: { path }, status: 500 }
    ])
    t.equal((await failureOf(find())).type, 'upstream_failed', path)
  }
})
