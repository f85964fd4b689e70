import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { usual } from '../../src/metrics/definitions/all.ts'
import { until } from '../support/cli.ts'
import { addTenant, gateway, type TestContext, type World } from '../support/gateway.ts'
import { metricsUrl, showing } from '../support/metrics/read.ts'
import { findPrometheus, prometheus, rulesFile, shortened } from '../support/observability/prometheus.ts'
import { promtoolTests } from '../support/observability/scenarios.ts'
import { inFull } from '../support/runner/campaigns.ts'

const found = findPrometheus()
if (found === null) {
  t.plan(0, 'no Prometheus on this machine: `apt-get install prometheus`')
  process.exit()
}
const { promtool } = found

function tool(t: TestContext & { equal: typeof import('tap').t.equal }, args: string[], input = ''): void {
  const { status, stdout, stderr } = spawnSync(promtool, args, { encoding: 'utf8', input })
  t.equal(status, 0, `${args.join(' ')}: ${stdout}${stderr}`)
}

t.test('promtool takes the rules, also with short windows', async t => {
  const short = join(t.testdir(), 'short.yaml')
  writeFileSync(short, shortened(readFileSync(rulesFile, 'utf8')))
  for (const file of [rulesFile, short]) tool(t, ['check', 'rules', file])
})

t.test('in each scenario its alerts fire and no others, and none fires when all is well', async t => {
  const tests = join(t.testdir(), 'tests.yaml')
  writeFileSync(tests, JSON.stringify(promtoolTests(resolve(rulesFile))))
  tool(t, ['test', 'rules', tests])
})

/** Meetings that are started, read and stopped again and again. */
async function load({ simulator, store, directory, withKey }: World, hasEnded: () => boolean): Promise<void> {
  const meetings = Array.from({ length: 8 }, () => simulator.addMeeting().id)
  await addTenant(store, 'busy', ...meetings)
  await directory.pull()
  const { call } = await withKey('busy', ['livestreams:read', 'livestreams:start', 'livestreams:stop'])
  const around = async (meeting: string): Promise<void> => {
    while (!hasEnded()) {
      await call('POST', `/v2/meetings/${meeting}/livestreams`, {})
      for (let i = 0; i < 4; i++) await call('GET', `/v2/meetings/${meeting}/active-livestream`)
      await sleep(300)
      await call('POST', `/v2/meetings/${meeting}/active-livestream/stop`, {})
      await sleep(700)
    }
  }
  await Promise.all(meetings.map(around))
}

/** As long as the longest window at least; in a campaign so long that Prometheus has read three minutes in the end. */
const calmMs = inFull ? 162_000 : 24_000

/** Longest time for an alert to fire, or to end, after its cause did. */
const withinMs = 90_000

t.test(
  'a Prometheus reads a gateway under load: the alert for failing stops fires while the vendor refuses them, and ends',
  async t => {
    const world = await gateway(t, {
      config: {
        metrics: showing,
        writeLimit: { calls: 100_000, seconds: 60, burst: 100_000 },
        readLimit: { calls: 100_000, seconds: 60, burst: 100_000 }
      },
      slowDisk: true
    })
    const { simulator } = world
    const { firing, names } = await prometheus(t, metricsUrl(world))
    // Others tell of the machine as well, which may be busy with other things.
    const failingStops = async () => (await firing()).filter(alert => alert.startsWith('LivegateStopsFailing/'))
    let hasEnded = false
    const loading = load(world, () => hasEnded)
    t.teardown(() => {
      hasEnded = true
      return loading
    })
    await until(names, all => all.includes('livegate:stops_bad:ratio6h'), withinMs)
    await sleep(calmMs)
    t.strictSame(await failingStops(), [], 'it does not fire while all is well')
    tool(t, ['check', 'metrics'], await (await fetch(metricsUrl(world))).text())
    const known = await names()
    for (const [name, { kind }] of Object.entries(usual))
      t.ok(known.includes(kind === 'histogram' ? `${name}_count` : name), name)

    const repair = simulator.fail({
      match: { method: 'POST', path: '/meetings/*/active-livestream/stop' },
      status: 503
    })
    const both = ['LivegateStopsFailing/page', 'LivegateStopsFailing/ticket']
    t.strictSame(await until(failingStops, ({ length }) => length === 2, withinMs), both, 'it fires')
    repair()
    t.strictSame(await until(failingStops, ({ length }) => length === 0, withinMs), [], 'it ends')
  }
)
