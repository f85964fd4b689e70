import t from 'tap'
import { ServedAlready } from '../../src/store/served/patience.ts'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { usePostgres } from '../support/postgres/stores.ts'
import { replicaWorld } from '../support/replicas/world.ts'
import { refusalOf } from '../support/store/helper.ts'

if (postgresBin === null) t.test('replicas of a gateway', { skip: noPostgres }, t => t.end())
else {
  usePostgres()

  t.test('as many gateways serve one store as each of them allows, and one more is refused', async t => {
    const { start, startAll, meeting } = await replicaWorld(t, { config: { shutdownMs: 300 } })
    const peers = await startAll(3)
    t.match(await refusalOf(start()), {
      constructor: ServedAlready,
      reason: /^3 gateways serve postgres:\S+, and LIVEGATE_REPLICAS allows no more/
    })
    t.match(await refusalOf(start({ replicas: 1 })), { constructor: ServedAlready })
    for (const { asAcme } of peers) t.equal((await asAcme('GET', `/v2/meetings/${meeting}`)).statusCode, 200)
    await peers[0]?.close()
    await start()
  })
}
