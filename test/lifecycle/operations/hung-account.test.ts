import t from 'tap'
import { presets } from '../../../src/domain/scope.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { addTenant } from '../../support/gateway.ts'
import { twoAccounts } from '../../support/http/two-accounts.ts'
import { until } from '../../support/until.ts'

const stopOf = (id: string) => `/v2/meetings/${id}/active-livestream/stop`

t.test('a stop is repeated while those of many tenants hang at another vendor account', async t => {
  const others: Record<string, string> = {}
  const { world, rtk } = await twoAccounts(t, {
    config: { deadlineMs: 300_000 },
    async before(store, simulator) {
      for (let i = 0; i < 8; i++) {
        const { id } = simulator.addMeeting()
        others[`tenant-${i}`] = id
        await addTenant(store, `tenant-${i}`, id)
      }
    }
  })
  const { simulator, store, directory, asAcme, withKey } = world
  const well = simulator.fail({ status: 503 })
  for (const [tenant, id] of Object.entries(others)) {
    const { call } = await withKey(tenant, presets.owner)
    t.equal((await call('POST', stopOf(id))).json().error.outcome, 'unknown')
  }
  simulator.fail({ stall: true })
  well()
  await until(() => simulator.journal.filter(({ fault }) => fault?.stall).length === 8)

  const { id } = rtk.addMeeting({})
  await meetingsIn(store).assign('acme', 'rtk', [id], Date.now())
  await directory.pull()
  rtk.startFromBrowser(id)
  rtk.failNext({ match: { method: 'POST' }, status: 503 })
  t.equal((await asAcme('POST', stopOf(id))).json().error.outcome, 'unknown')
  await until(() => rtk.livestreams()[0]?.status === 'IDLE')
})
