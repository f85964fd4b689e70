/**
 * The cost of metrics: `npm run -s bench:metrics`. It records what 1,000,000 requests tell, and then reads as many series as there may be.
 * `npm run bench -- compare` has whole gateways with and without them.
 */
import { readFileSync } from 'node:fs'
import * as promClient from 'prom-client'
import { all } from '../../src/metrics/definitions/all.ts'
import { countingObserver, showFromZero, shownNames } from '../../src/metrics/observer.ts'
import { Series } from '../../src/metrics/series.ts'
import { seriesIn } from '../../src/metrics/text.ts'
import { grouped, median, milliseconds, report } from '../support/bench/figures.ts'

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
