import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { meetingsIn } from '../../src/store/tables/meetings.ts'
import { Dice, slowestMs } from '../support/campaigns/dice.ts'
import { plenty } from '../support/config.ts'
import { gateway } from '../support/gateway.ts'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { sharedPostgres, usePostgres } from '../support/postgres/stores.ts'
import { countOf } from '../support/runner/campaigns.ts'
import { printSeed } from '../support/runner/seeds.ts'
import { until } from '../support/until.ts'

const kills = countOf('serverKills')
const meetings = 12

printSeed(t)
const dice = new Dice('serverKills')

if (postgresBin === null) t.test('a server of PostgreSQL that is killed', { skip: noPostgres }, t => t.end())
else {
  usePostgres()
  const name = `after kill -9 of the server each mutation that was acknowledged has its events: ${kills} kills under load`
  t.test(name, { timeout: slowestMs }, async t => {
    const server = await sharedPostgres('fsync=on')
    const { store, simulator, asAcme, as, events } = await gateway(t, { config: { writeLimit: plenty } })
    const ids = Array.from({ length: meetings }, () => simulator.addMeeting().id)
    await meetingsIn(store).assign('acme', 'default', ids, Date.now())

    const acknowledged = new Map<string, string>()
    const refused = new Map<string, number>()
    let isOver = false
    const call = async (operation: string, path: string): Promise<void> => {
      const id = randomUUID()
      const { statusCode, json } = await asAcme('POST', path, undefined, { 'x-request-id': id })
      // A start that finds its meeting live, or joins another, sends nothing.
      if (statusCode === 201 || (statusCode === 200 && operation === 'stopLivestream')) acknowledged.set(id, operation)
      else if (statusCode >= 300) refused.set(json().error.type, (refused.get(json().error.type) ?? 0) + 1)
    }
    const load = ids.map(async meeting => {
      while (!isOver) {
        await call('startLivestream', `/v2/meetings/${meeting}/livestreams`)
        await call('stopLivestream', `/v2/meetings/${meeting}/active-livestream/stop`)
      }
    })
    for (let kill = 0; kill < kills; kill++) {
      const before = acknowledged.size
      await until(() => acknowledged.size > before + 20)
      await sleep(dice.between(0, 50))
      await server.kill()
      await sleep(dice.between(50, 400))
      await server.start()
    }
    const last = acknowledged.size
    await until(() => acknowledged.size > last + 20)
    isOver = true
    await Promise.all(load)
    await until(async () => (await as(null)('GET', '/readyz')).json().degraded.length === 0)

    const told = Map.groupBy(await events(), ({ metadata }) => metadata.correlation_uid)
    const missing = [...acknowledged].flatMap(([id, operation]) => {
      const outcomes = (told.get(id) ?? []).filter(({ api }) => api.operation === operation)
      const has = (outcome: string): boolean => outcomes.some(({ unmapped }) => unmapped.outcome === outcome)
      return has('pending') && has('done') ? [] : [`${operation}: ${outcomes.map(({ unmapped }) => unmapped.outcome)}`]
    })
    t.strictSame(missing, [])
    t.comment(`${acknowledged.size} acknowledged; refused: ${JSON.stringify([...refused])}`)
  })
}
