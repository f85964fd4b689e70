import t from 'tap'
import { says } from '../support/campaigns/trouble.ts'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { sharedPostgres, usePostgres } from '../support/postgres/stores.ts'
import { type Peer, replicaWorld } from '../support/replicas/world.ts'
import { until } from '../support/until.ts'
import { wayTo } from '../support/way.ts'

if (postgresBin === null) t.test('replicas without their store', { skip: noPostgres }, t => t.end())
else {
  usePostgres()

  t.test('replicas whose database stands still stop at once and start nothing, and go on afterwards', async t => {
    const { port } = await sharedPostgres()
    const way = await wayTo(port)
    t.teardown(() => way.close())
    const { start, home, meeting, simulator, store } = await replicaWorld(t, { isPunctual: true })
    const config = { home: { ...home, port: way.port } }
    const [first, second] = (await Promise.all([start(config), start(config)])) as [Peer, Peer]
    const post = ({ asAcme }: Peer, path: string) => asAcme('POST', `/v2/meetings/${meeting}/${path}`)
    const live = () => simulator.livestreams().filter(({ status }) => status === 'LIVE').length
    t.equal((await post(first, 'livestreams')).statusCode, 201)
    way.freeze()
    const askedAtMs = performance.now()
    const stopped = post(second, 'active-livestream/stop')
    await until(() => live() === 0)
    t.ok(performance.now() - askedAtMs < 5_000, 'a store that hangs holds no stop back')
    t.equal((await stopped).statusCode, 200)
    const startedAtMs = performance.now()
    t.match(says(await post(first, 'livestreams')), /^503 \S+ not_sent$/)
    t.ok(performance.now() - startedAtMs < 5_000, 'nor does a start wait for it')
    way.letOn()
    await until(async () => (await post(first, 'livestreams')).statusCode < 300)
    t.equal(live(), 1)
    const stops = store.sql.selectFrom('operations').select('state').where('kind', '=', 'stop').compile()
    await until(async () => (await store.engine.read(stops)).length === 1)
  })
}
