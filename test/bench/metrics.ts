/**
 * The cost of metrics: `npm run -s bench:metrics`. It records what 1,000,000 requests tell, and then reads as many series as there may be.
 * `npm run bench -- compare` has whole gateways with and without them.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as promClient from 'prom-client'
import { all } from '../../src/metrics/definitions/all.ts'
import { countingObserver, showFromZero, shownNames } from '../../src/metrics/observer.ts'
import { Series } from '../../src/metrics/series.ts'
import { seriesIn } from '../../src/metrics/text.ts'
import { grouped, median, milliseconds, report } from '../support/bench/figures.ts'
import { startGenerator } from '../support/bench/generator.ts'
import { seed, serveLivegate } from '../support/bench/livegate.ts'
import { scene } from '../support/bench/scene.ts'
import { startVendor } from '../support/bench/vendor.ts'
import { listen } from '../support/listen.ts'
import { connections } from './scenarios.ts'

const requests = 1_000_000
const paths = Object.values(JSON.parse(readFileSync('openapi/livegate.json', 'utf8')).paths) as object[]
const operations = paths.flatMap(methods => Object.values(methods).map(({ operationId }) => operationId as string))
const series = new Series(promClient, false)
const names = shownNames()
const { upstreamOf } = names
const { observer } = countingObserver(series, names)

/** CPU time: on a shared machine the clock says how busy the others are. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Everything that a read tells which asks the vendor: its request, the shared answer, the call, and a look-up. */
function tellOfOne(i: number): void {
  const operation = operations[i % operations.length] ?? ''
  observer.sharedRead('miss')
  observer.storeRead(0.2)
  observer.vendorCall({ upstream: 'default', priority: 'read', status: 200, durationMs: i % 300 })
  observer.request({ operation, status: 200, outcome: 'done', durationMs: i % 400, tenantId: 'acme' })
}

const round = (): number => {
  const beforeUs = cpuUs()
  for (let i = 0; i < requests; i++) tellOfOne(i)
  return (cpuUs() - beforeUs) / requests
}
round()
const us = median([round(), round(), round()])
report(`recording, ${grouped(requests)} requests`, `${us.toFixed(2)} µs each`, { is: '3 µs', reached: us <= 3 })

// As many upstreams, statuses and outcomes as have series of their own.
for (const operation of [...operations, 'unknown'])
  for (const status of [200, 404, 503, null])
    for (const outcome of ['done', 'refused', 'unknown'])
      observer.request({ operation, status, outcome, durationMs: 5, tenantId: null })
for (let i = 0; i < 25; i++) {
  const upstream = upstreamOf(`upstream-${i}`)
  showFromZero(series, upstream)
  observer.vendorCall({ upstream, priority: 'read', status: 200, durationMs: 9 })
}
const scrape = async (): Promise<number> => {
  const beforeUs = cpuUs()
  await series.text(show => {
    for (let i = 0; i < 21; i++) {
      for (const priority of ['stop', 'mutation', 'read', 'other'])
        show('livegate_upstream_quota_used', 1, upstreamOf(`upstream-${i}`), priority)
    }
  })
  return (cpuUs() - beforeUs) / 1_000
}
await scrape()
const ms = median([await scrape(), await scrape(), await scrape(), await scrape(), await scrape()])
const shown = seriesIn(await series.text(() => {}))
report(`a reading of ${grouped(shown.size)} series, ${Object.keys(all).length} metrics`, milliseconds(ms), {
  is: '50 ms',
  reached: ms <= 50
})

// A whole gateway: a quarter of its meetings were read, and have a run that goes on.
await scene(async here => {
  const [tenants, meetings] = [10_000, 100_000]
  const vendor = await startVendor(here.folder)
  here.teardown(() => vendor.stop())
  const seeded = await seed(join(here.folder, 'store'), { meetings, own: connections, tenants })
  const probe = createServer()
  const port = await listen(here, probe)
  await new Promise(resolve => probe.close(resolve))
  const env = { LIVEGATE_METRICS_PORT: String(port) }
  const server = await serveLivegate({ name: 'metrics', vendorUrl: vendor.url, seeded, env })
  here.teardown(() => server.stop())
  const generator = startGenerator()
  here.teardown(() => generator.stop())
  const job = { url: server.url, connections, keys: seeded.keys, what: 'read' as const, count: 25_600, meetings }
  const { failed } = await generator.run(job)
  const looks: number[] = []
  let text = ''
  for (let i = 0; i < 10; i++) {
    // A reader that comes at once gets the text of the one before.
    await sleep(200)
    const beforeNs = server.cpuNs()
    text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    looks.push((server.cpuNs() - beforeNs) / 1e6)
  }
  const size = `${grouped(tenants)} tenants, ${grouped(meetings)} meetings, ${failed} wrong answers`
  const wholeMs = median(looks)
  report(`a reading of a gateway with ${size}`, milliseconds(wholeMs), { is: '50 ms', reached: wholeMs <= 50 })
  const { size: count } = seriesIn(text)
  report('its series', grouped(count), { is: grouped(3_000), reached: count <= 3_000 })
})
