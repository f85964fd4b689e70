import t from 'tap'
import { GatewayOverloaded } from '../../../src/domain/refusals/failures.ts'
import { LoadWatch } from '../../../src/http/limits/load-watch.ts'
import { gateway } from '../../support/gateway.ts'

/** Time that passes when a look comes, so late as the test says. */
function lateTiming() {
  let nowMs = 0
  let wake: { pauseMs: number; callback(): void } | null = null
  return {
    now: () => nowMs,
    after(pauseMs: number, callback: () => void) {
      wake = { pauseMs, callback }
      return () => {
        wake = null
      }
    },
    /** The next look comes so late. */
    async look(lateMs: number): Promise<void> {
      nowMs += (wake?.pauseMs ?? 0) + lateMs
      wake?.callback()
      await new Promise(setImmediate)
    }
  }
}

t.test('a gateway that comes too late to its work refuses all but stops, until it is in time again', async t => {
  const timing = lateTiming()
  const { asAcme, as, meeting, logs, events, upstream } = await gateway(t, { timing })
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal((await start()).statusCode, 201)
  await timing.look(1_000)
  t.equal((await asAcme('GET', '/v2/livestreams')).statusCode, 200, 'one pause is no load')
  await timing.look(1_000)
  const sent = upstream().length
  const refused = await start()
  t.match(refused, { statusCode: 503, headers: { 'retry-after': '2' } })
  t.match(refused.json().error, { type: 'gateway_overloaded', outcome: 'not_sent' })
  t.equal((await asAcme('GET', '/v2/livestreams')).statusCode, 503)
  t.equal(upstream().length, sent)
  t.equal((await as(null)('GET', '/livez')).statusCode, 200)
  t.equal((await as(null)('GET', '/v2/livestreams')).statusCode, 401, 'a stranger learns nothing of it')
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
  await timing.look(0)
  t.equal((await start()).statusCode, 201)
  const told = logs()
    .split('\n')
    .filter(line => line.includes('"msg":"more comes') || line.includes('let in again'))
  t.match(
    told.map(line => JSON.parse(line)),
    [{ late_ms: 1_000 }, { refused: 2 }]
  )
  t.notMatch(logs(), /request_(failed|refused).*gateway_overloaded/, 'no line for each of them')
  const shed = (await events()).filter(({ status_detail }) => status_detail === 'gateway_overloaded')
  t.strictSame(
    shed.map(({ unmapped }) => unmapped.outcome),
    ['not_sent', 'failed']
  )
})

t.test('a watch that is late once more before it is in time goes on refusing, and counts for metrics', async t => {
  const timing = lateTiming()
  let shed = 0
  const watch = new LoadWatch({ log: { warn() {} }, observer: { shed: () => shed++ }, timing })
  t.teardown(() => watch.close())
  for (const late of [1_500, 2_000, 1_000]) await timing.look(late)
  t.throws(() => watch.demandRoom(), new GatewayOverloaded({ retryAfterSeconds: 2 }))
  await timing.look(999)
  watch.demandRoom()
  for (const late of [999, 1_000, 999, 1_000]) {
    await timing.look(late)
    watch.demandRoom()
  }
  t.equal(shed, 1)
})
