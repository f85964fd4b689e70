import t from 'tap'
import { presets } from '../../../src/domain/scope.ts'
import { apiKeysIn } from '../../../src/store/tables/api-keys.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { live } from '../../support/broadcast/live-run.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test('a start that may not go on after its wait overtakes no open stop', async t => {
  const { meeting, stop, isOn, simulator, store, withKey, directory } = await live(t, {})
  const { id: keyId, call } = await withKey('acme', presets.owner)
  const healed = simulator.fail({
    match: { method: 'POST', path: '/meetings/*/active-livestream/stop' },
    status: 500,
    body: {}
  })
  t.match((await stop()).json().error, { outcome: 'unknown' })
  const looks = () => simulator.journal.filter(({ method }) => method === 'GET').length
  const before = looks()
  const starting = call('POST', `/v2/meetings/${meeting}/livestreams`)
  await until(() => looks() > before)
  await apiKeysIn(store).revoke(keyId, Date.now())
  await directory.pull()
  t.equal((await starting).statusCode, 401)
  healed()
  await until(() => !isOn(), 60_000)
  t.notOk(isOn(), 'the stop is repeated')
})

for (const how of ['its key was revoked', 'its meeting was given away'] as const) {
  t.test(`a livestream is not changed when ${how} while the vendor was asked whose it is`, async t => {
    const { meeting, simulator, store, withKey, directory, asAcme } = await gateway(t)
    const { id: keyId, call } = await withKey('acme', presets.owner)
    const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
    simulator.failNext({ match: { method: 'GET', path: `/livestreams/${id}` }, delayMs: 1_500 })
    const seen = simulator.journal.length
    const resetting = call('POST', `/v2/livestreams/${id}/reset-stream-key`)
    await until(() => simulator.journal.length > seen)
    if (how === 'its key was revoked') await apiKeysIn(store).revoke(keyId, Date.now())
    else {
      await meetingsIn(store).release(meeting, Date.now())
      await meetingsIn(store).assign('globex', 'default', [meeting], Date.now())
    }
    await directory.pull()
    t.equal((await resetting).statusCode, how === 'its key was revoked' ? 401 : 404)
    t.notOk(simulator.journal.some(({ target }) => target.endsWith('/reset-stream-key')))
  })
}
