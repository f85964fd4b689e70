import t from 'tap'
import type { Operation } from '../../../src/domain/operation.ts'
import type { RunNews } from '../../../src/domain/runs/run.ts'
import { enderOf } from '../../../src/lifecycle/ledger/ender-of.ts'

const news = { upstream: 'default', meetingId: 'm1' } as RunNews

t.test('a run that ends has the cause of the stops that are open, and a caller goes before all others', async t => {
  const endedBy = (...causes: Operation['cause'][]) => {
    const stops = causes.map(cause => ({ cause }) as Operation)
    return enderOf({ unconfirmedStops: async () => stops })(news)
  }
  t.equal(await endedBy(), 'outside')
  t.equal(await endedBy(null), 'tenant')
  t.equal(await endedBy('operator', null, 'max_duration'), 'tenant')
  t.equal(await endedBy('operator', 'max_duration'), 'max_duration', 'the last of several')
})

t.test('the end of a livestream without a meeting is looked up for no meeting', async t => {
  const unconfirmedStops = async (): Promise<never> => t.fail('nothing is to be asked') as never
  t.equal(await enderOf({ unconfirmedStops })({ ...news, meetingId: null }), 'outside')
})
