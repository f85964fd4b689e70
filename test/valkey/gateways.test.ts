import t, { type Test } from 'tap'
import type { WorldOptions } from '../support/gateway.ts'
import { gateway, type World } from '../support/gateway.ts'
import { until } from '../support/until.ts'
import { noValkey, startValkey, valkeyProgram } from '../support/valkey/server.ts'

const needsValkey = () => ({ skip: valkeyProgram === null && noValkey })
const readLimit = { calls: 100, seconds: 86_400, burst: 100 }

/** Gateways on one Valkey, each with a store of its own and the same tenants. */
async function replicas(t: Test, count: number, options: Partial<WorldOptions> = {}) {
  const valkey = await startValkey(t)
  const config = { valkey: valkey.home, readLimit, ...options.config }
  const worlds: World[] = []
  for (let i = 0; i < count; i++) worlds.push(await gateway(t, { valkeyWithinMs: 10_000, ...options, config }))
  return { valkey, worlds }
}

/** Reads by turns; gives how many passed. */
async function read(worlds: World[], count: number, atOnce = 20): Promise<number> {
  let [begun, passed] = [0, 0]
  const caller = async (): Promise<void> => {
    while (begun < count) {
      const world = worlds[begun++ % worlds.length] as World
      const { statusCode } = await world.asAcme('GET', '/gateway/usage')
      if (statusCode === 200) passed += 1
    }
  }
  await Promise.all(Array.from({ length: atOnce }, caller))
  return passed
}

t.test(
  'a tenant has its limit once, over three gateways, and a Valkey that is killed gives it no more than one share',
  needsValkey(),
  async t => {
    const { valkey, worlds } = await replicas(t, 3)
    const [world] = worlds as [World]
    const ready = async () => (await world.as(null)('GET', '/readyz')).json()
    t.equal(await read(worlds, 60), 60)
    // Each has heard that there are three: it says every second that it lives.
    const said = async () => {
      const texts = await valkey.client.zrange('{livegate}:replicas', 0, -1, 'WITHSCORES')
      return texts.filter((_, i) => i % 2 === 1).map(Number)
    }
    const lastBegunMs = Math.max(...(await said()))
    await until(async () => (await said()).every(saidMs => saidMs > lastBegunMs))
    await valkey.kill()
    const later = await read(worlds, 240)
    t.ok(later >= 30 && later <= 40 + 33, `${later} of the 40 that were left`)
    t.strictSame((await ready()).degraded, ['valkey'])
    await valkey.start()
    await until(async () => (await ready()).degraded.length === 0)
    const last = await read(worlds, 30)
    t.ok(60 + later + last <= 133, `an empty Valkey was told what was spent, and let ${last} pass`)
    t.match(world.logs(), /"event":"valkey_lost"/)
    t.match(world.logs(), /"event":"quota_unknown"[^\n]*no other replica/)
  }
)

t.test('a hundred of a thousand calls pass over three gateways', needsValkey(), async t => {
  const { worlds } = await replicas(t, 3)
  t.equal(await read(worlds, 1_000), 100)
})

t.test('a stop waits for no Valkey, and is told what this gateway knows', needsValkey(), async t => {
  const { valkey, worlds } = await replicas(t, 1, { valkeyWithinMs: 20 })
  const [{ asAcme, meeting }] = worlds as [World]
  valkey.freeze()
  const { statusCode, headers } = await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.equal(statusCode, 404)
  t.match(headers.ratelimit, /^"write";r=599/)
  valkey.thaw()
})
