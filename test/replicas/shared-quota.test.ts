import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { presets } from '../../src/domain/scope.ts'
import { Dice } from '../support/campaigns/dice.ts'
import { client } from '../support/client.ts'
import { plenty } from '../support/config.ts'
import { addKey, addTenant } from '../support/gateway.ts'
import { noPostgres, postgresBin } from '../support/postgres/server.ts'
import { type Peer, replicaWorld } from '../support/replicas/world.ts'
import { countOf, inFull } from '../support/runner/campaigns.ts'
import { until } from '../support/until.ts'
import { noValkey, startValkey, valkeyProgram } from '../support/valkey/server.ts'

const missing = postgresBin === null ? noPostgres : valkeyProgram === null && noValkey
/** The vendor's rule, whose lock-out lasts as long as its window. */
const rule = { calls: 12, seconds: inFull ? 3 : 1 }
const seconds = countOf('sharedQuota')

t.test(
  'ten tenants that want ten times as much at three replicas: the vendor never refuses, and every stop passes',
  { skip: missing },
  async t => {
    const valkey = await startValkey(t)
    const deadlineMs = 2_000
    const config = { valkey: valkey.home, readLimit: plenty, writeLimit: plenty, deadlineMs }
    const quota = `${rule.calls}/${rule.seconds},${rule.seconds}`
    const world = await replicaWorld(t, { simulator: { quota }, quota: rule, config, valkeyWithinMs: 10_000 })
    const { store, simulator } = world
    const tenants = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const meeting = simulator.addMeeting({ title: `Show ${i}` }).id
        await addTenant(store, `tenant-${i}`, meeting)
        return { meeting, key: (await addKey(store, `tenant-${i}`, presets.owner)).key }
      })
    )
    const peers = (await world.startAll(3)) as [Peer, Peer, Peer]
    const dice = new Dice('quota over replicas')
    const ask = (key: string, method: 'GET' | 'POST', path: string) =>
      client(dice.pick(peers).url, `Bearer ${key}`)(method, `/v2/meetings/${path}`)
    const isLetOut = async () => (await ask(tenants[0]?.key ?? '', 'GET', tenants[0]?.meeting ?? '')).statusCode === 200
    // An empty Valkey: nobody knows what went before, so nothing but stops is sent for a window and a deadline.
    await until(isLetOut)
    const endsAtMs = performance.now() + seconds * 1_000
    const before = simulator.journal.length
    const reading = tenants.map(async ({ key, meeting }) => {
      while (performance.now() < endsAtMs) {
        await ask(key, 'GET', meeting)
        await pause(80)
      }
    })
    const stopping = (async () => {
      while (performance.now() < endsAtMs) {
        const { key, meeting } = dice.pick(tenants)
        simulator.startFromBrowser(meeting)
        t.equal((await ask(key, 'POST', `${meeting}/active-livestream/stop`)).statusCode, 200, 'a stop')
        await pause(rule.seconds * 700)
      }
    })()
    await Promise.all([...reading, stopping])
    t.equal(simulator.journal.filter(({ status }) => status === 429).length, 0, 'no call was one too many')
    const most = (rule.calls * seconds) / rule.seconds
    const sent = simulator.journal.length - before
    t.ok(sent > most / 4, `${sent} calls of ${most}`)
  }
)
