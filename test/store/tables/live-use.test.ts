import t from 'tap'
import { liveUseIn } from '../../../src/store/tables/runs/live-use.ts'
import { storeWithTenants } from '../../support/store/helper.ts'

t.test('limits that begin ahead, since the clock was wrong at the upgrade, are brought back for good', async t => {
  const { store } = await storeWithTenants(t)
  const use = liveUseIn(store)
  const fromMs = await use.limitsFromMs()
  t.equal(await use.correctedLimitsFromMs(fromMs + 1_000), fromMs, 'what is past stays as it is')
  t.equal(await use.limitsFromMs(), fromMs)
  t.equal(await use.correctedLimitsFromMs(fromMs - 1_000), fromMs - 1_000)
  t.equal(await use.limitsFromMs(), fromMs - 1_000)
})
