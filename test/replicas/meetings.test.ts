import t from 'tap'
import { apiKeysIn } from '../../src/store/tables/api-keys.ts'
import { says } from '../support/campaigns/trouble.ts'
import type { Reply } from '../support/client.ts'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { usePostgres } from '../support/postgres/stores.ts'
import { type Peer, replicaWorld } from '../support/replicas/world.ts'
import { until } from '../support/until.ts'

if (postgresBin === null) t.test('meetings over replicas', { skip: noPostgres }, t => t.end())
else {
  usePostgres()

  t.test('starts and stops of a meeting follow each other over three replicas, as in one gateway', async t => {
    const { startAll, meeting, mutations, simulator, store, keyId } = await replicaWorld(t)
    const peers = await startAll(3)
    const [first, second, third] = peers as [Peer, Peer, Peer]
    /** A busy server of the database may refuse a record: such a start was not sent, and is asked for again. */
    const start = async ({ asAcme }: Peer): Promise<Reply> => {
      for (let left = 20; ; left--) {
        const reply = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
        if (left === 0 || !says(reply).endsWith('_unavailable not_sent')) return reply
      }
    }
    const stop = ({ asAcme }: Peer) => asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
    const look = ({ asAcme }: Peer) => asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
    const starts = () => mutations().filter(call => call.endsWith('/livestreams')).length
    const live = () => simulator.livestreams().filter(({ status }) => status === 'LIVE').length

    const answers = await Promise.all([...peers, ...peers, ...peers].map(start))
    t.strictSame(
      answers.map(({ statusCode }) => statusCode).sort(),
      [200, 200, 200, 200, 200, 200, 200, 200, 201],
      'one start, which all others join'
    )
    t.equal(new Set(answers.map(({ json }) => json().data.id)).size, 1)
    t.equal(starts(), 1)

    t.equal((await look(third)).statusCode, 200)
    t.equal((await stop(second)).statusCode, 200)
    t.equal(live(), 0)
    await until(async () => (await look(third)).statusCode === 404 && (await look(first)).statusCode === 404)
    t.equal((await start(third)).statusCode, 201, 'a start behind a stop of another replica begins a run')
    t.equal(starts(), 2)
    const both = await Promise.all([stop(first), start(second)])
    t.strictSame(
      both.map(({ statusCode }) => statusCode < 300),
      [true, true],
      'a stop and a start at once follow each other'
    )

    await apiKeysIn(store).revoke(keyId, Date.now())
    const revokedAtMs = performance.now()
    await until(async () => (await Promise.all(peers.map(look))).every(({ statusCode }) => statusCode === 401))
    t.ok(performance.now() - revokedAtMs < 5_000, 'a revoked key is refused by all replicas within 5 s')
  })
}
