import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { meetingsIn } from '../../src/store/tables/meetings.ts'
import { environmentOf } from '../support/config.ts'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { usePostgres } from '../support/postgres/stores.ts'
import { environmentOfReplicas, roundRobin, startReplica } from '../support/replicas/processes.ts'
import { replicaWorld } from '../support/replicas/world.ts'

if (postgresBin === null) t.test('a rolling restart', { skip: noPostgres }, t => t.end())
else {
  usePostgres()

  t.test(
    'a rolling restart of three replicas under load drops no call, and gives no wrong answer',
    { timeout: 180_000 },
    async t => {
      const { simulator, store, storeFile, authorization } = await replicaWorld(t)
      const meetings = Array.from({ length: 12 }, () => simulator.addMeeting().id)
      await meetingsIn(store).assign('acme', 'default', meetings, Date.now())
      const plenty = '1000000/60'
      const limits = { LIVEGATE_WRITE_LIMIT: plenty, LIVEGATE_READ_LIMIT: plenty, LIVEGATE_UPSTREAM_BUDGET: plenty }
      const env = {
        ...(await environmentOfReplicas(storeFile)),
        ...environmentOf(simulator),
        ...limits,
        LIVEGATE_READ_TTL_MS: '0'
      }
      const serve = () => startReplica(t, env)
      const replicas = await Promise.all([serve(), serve(), serve()])
      const call = roundRobin(() => replicas, authorization)
      const answers = new Map<string, number>()
      let isOver = false
      const expect = async (what: string, wanted: number[], method: string, path: string) => {
        const { statusCode, body } = await call(method, path)
        const seen = wanted.includes(statusCode) ? `${what} ${statusCode}` : `WRONG ${what} ${statusCode} ${body}`
        answers.set(seen, (answers.get(seen) ?? 0) + 1)
      }
      const load = meetings.map(async meeting => {
        const active = `/v2/meetings/${meeting}/active-livestream`
        while (!isOver) {
          await expect('start', [201], 'POST', `/v2/meetings/${meeting}/livestreams`)
          await expect('look', [200], 'GET', active)
          await expect('stop', [200], 'POST', `${active}/stop`)
        }
      })
      for (let i = 0; i < replicas.length; i++) {
        // The new one serves before the old one ends, as with a surge of one.
        const old = replicas[i] as (typeof replicas)[number]
        replicas[i] = await serve()
        // The balancer knows by now, and what it has sent there is accepted.
        await pause(1_000)
        old.process.signal('SIGTERM')
        t.equal((await old.process.ended).code, 0)
      }
      isOver = true
      await Promise.all(load)
      t.strictSame([...answers.keys()].sort(), ['look 200', 'start 201', 'stop 200'])
      t.ok((answers.get('start 201') ?? 0) > meetings.length)
      t.comment(JSON.stringify([...answers]))
    }
  )
}
