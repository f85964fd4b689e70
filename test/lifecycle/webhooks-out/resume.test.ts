import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Run } from '../../../src/domain/runs/run.ts'
import { startGateway } from '../../../src/gateway.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { broadcastRunsIn } from '../../../src/store/tables/runs/broadcast-runs.ts'
import { takenWebhooksIn } from '../../../src/store/tables/webhooks-in/taken-webhooks.ts'
import { configFor } from '../../support/config.ts'
import { addTenant } from '../../support/gateway.ts'
import { after, seen } from '../../support/ledger/news.ts'
import { openStoreHere } from '../../support/store.ts'
import { until } from '../../support/until.ts'

/** A store that an earlier process has left: a meeting of acme, in which a browser has begun a livestream. */
async function left(t: Test) {
  const simulator = await createSimulator({ liveAfterMs: 0 })
  t.teardown(() => simulator.close())
  const storeFile = join(t.testdir(), 'livegate.db')
  const store = await openStoreHere(storeFile)
  t.teardown(() => store.close())
  const meeting = simulator.addMeeting().id
  await addTenant(store, 'acme', meeting)
  const { id } = simulator.startFromBrowser(meeting)
  const deliveries = takenWebhooksIn(store)
  return {
    ...{ simulator, store, meeting, id, deliveries },
    /** Takes a webhook of the meeting, and nobody looks after it. */
    async take(event: 'meeting.started' | 'meeting.ended', sessionId: string | null) {
      const about = { upstream: 'default', event, meetingId: meeting, livestreamId: null, sessionId }
      await deliveries.take({ ...about, deliveryId: randomUUID(), bodyDigest: 'a' }, Date.now(), 10_000)
    },
    async serve() {
      const config = configFor(simulator, storeFile)
      const gateway = await startGateway({ config, logger: makeLogger('silent'), open: openStoreHere })
      t.teardown(() => gateway.close())
    }
  }
}

t.test('a webhook that was taken before a crash is looked after by the next process', async t => {
  const { store, id, deliveries, take, serve } = await left(t)
  await take('meeting.started', null)
  await serve()
  await until(async () => (await deliveries.open(0, 10)).length === 0)
  const query = store.sql.selectFrom('livestreams').select(['id', 'status'])
  t.strictSame(await store.engine.read(query.compile()), [{ id, status: 'LIVE' }])
})

t.test('so is the end of a meeting: its run is stopped', async t => {
  const { simulator, store, meeting, id, take, serve } = await left(t)
  const upgrade = store.sql.updateTable('meta').set({ value: '1000' }).where('name', '=', 'limits_from')
  const seenRun = after(seen(Date.now(), 'LIVE')).run as Run
  const run = { ...seenRun, meetingId: meeting, livestreamId: id, meetingSessionId: 's1' }
  const runs = broadcastRunsIn(store)
  await store.engine.write([upgrade.compile(), ...runs.moved({ before: null, after: run, events: [] }, false)])
  await take('meeting.ended', 's1')
  await serve()
  await until(() => simulator.livestreams()[0]?.status !== 'LIVE')
  await until(async () => (await runs.get(run.id))?.status === 'ended')
  t.match(await runs.get(run.id), { endedBy: 'meeting_ended' })
})
