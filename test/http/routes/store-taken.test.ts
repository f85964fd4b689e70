import { linkSync, renameSync } from 'node:fs'
import t from 'tap'
import { ownerName } from '../../../src/store/served/predecessor.ts'
import { says } from '../../support/campaigns/trouble.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'

t.test('a gateway whose store another one has taken over refuses mutations, holds no stop, and says so', async t => {
  const clock = manualClock()
  const { asAcme, as, meeting, store, simulator, logs } = await gateway(t, { clock, damaged: true })
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal((await start()).statusCode, 201)
  const taken = store.sql.updateTable('meta').set({ value: 'another' }).where('name', '=', ownerName)
  await store.engine.write([taken.compile()])
  // After standing still for so long it may be taken for one that is gone.
  clock.advance(6_000)
  const calls = simulator.journal.length
  t.equal(says(await asAcme('PATCH', `/v2/meetings/${meeting}`, { title: 'lost' })), '503 audit_unavailable not_sent')
  t.strictSame((await as(null)('GET', '/readyz')).json().degraded, ['store'])
  t.match(logs(), 'another gateway has taken this store over: end one of the two')
  t.equal(simulator.journal.length, calls)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
  t.equal(simulator.livestreams().filter(({ status }) => status === 'LIVE').length, 0)
})

t.test('a database with a second name is warned of; one that is away when its gateway ends is told of', async t => {
  const { storeFile, logs, close } = await gateway(t, {
    async before(_store, _simulator, folder) {
      linkSync(`${folder}/livegate.db`, `${folder}/second.db`)
    }
  })
  const lines = () =>
    logs()
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
  t.match(
    lines().find(({ names }) => names !== undefined),
    { level: 40, names: 2, storeFile, msg: /hard links/ }
  )
  renameSync(storeFile, `${storeFile}.away`)
  await close()
  renameSync(`${storeFile}.away`, storeFile)
  const told = 'that this gateway serves the store could not be written into it'
  t.match(
    lines().findLast(({ msg }) => msg === told),
    { level: 50, err: { message: /./ } }
  )
})
