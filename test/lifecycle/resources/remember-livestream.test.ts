import t from 'tap'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

t.test(
  'a livestream or a meeting that is seen while the store is locked is shown, and the log says it was not kept',
  async t => {
    const { asAcme, meeting, simulator, storeFile, logs } = await gateway(t)
    simulator.startFromBrowser(meeting)
    const unlock = lockStore(storeFile)
    t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 200)
    t.equal((await asAcme('GET', `/v2/meetings/${meeting}`)).statusCode, 200)
    await until(() => /seen of a livestream could not be kept/.test(logs()))
    await until(() => /seen of a meeting could not be kept/.test(logs()))
    unlock()
    t.equal((await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)).statusCode, 200)
    // The next look keeps it, behind the answer when the disk is slow.
    await until(async () => (await asAcme('GET', '/v2/livestreams')).json().data.length === 1)
    t.equal(simulator.livestreams().length, 1)
  }
)
