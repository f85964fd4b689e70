import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { startGateway } from '../../../src/gateway.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { webhookDeliveriesIn } from '../../../src/store/tables/webhooks-in/deliveries.ts'
import { configFor } from '../../support/config.ts'
import { addTenant } from '../../support/gateway.ts'
import { openStoreHere } from '../../support/store.ts'
import { until } from '../../support/until.ts'

t.test('a webhook that was taken before a crash is looked after by the next process', async t => {
  const simulator = await createSimulator({ liveAfterMs: 0 })
  t.teardown(() => simulator.close())
  const storeFile = join(t.testdir(), 'livegate.db')
  const store = await openStoreHere(storeFile)
  t.teardown(() => store.close())
  const meeting = simulator.addMeeting().id
  await addTenant(store, 'acme', meeting)
  const { id } = simulator.startFromBrowser(meeting)
  const deliveries = webhookDeliveriesIn(store)
  const delivery = {
    ...{ upstream: 'default', event: 'meeting.started' as const, meetingId: meeting, livestreamId: null },
    ...{ sessionId: null, deliveryId: randomUUID(), bodyDigest: 'a' }
  }
  await deliveries.take(delivery, Date.now(), 10_000)
  const gateway = await startGateway({
    config: configFor(simulator, storeFile),
    logger: makeLogger('silent'),
    open: openStoreHere
  })
  t.teardown(() => gateway.close())
  await until(async () => (await deliveries.open(0, 10)).length === 0)
  const query = store.sql.selectFrom('livestreams').select(['id', 'status'])
  t.strictSame(await store.engine.read(query.compile()), [{ id, status: 'LIVE' }])
})
