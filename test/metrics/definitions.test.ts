import { readFileSync } from 'node:fs'
import t from 'tap'
import { buckets, type Definition } from '../../src/metrics/definition.ts'
import { all, usual } from '../../src/metrics/definitions/all.ts'
import { withMetrics } from '../support/metrics/page.ts'

/** Series of a metric at most: of a histogram each set of labels has its buckets with the last one, sum and count. */
const mostSeries = ({ kind, most }: Definition): number => most * (kind === 'histogram' ? buckets.length + 3 : 1)
const seriesOf = (definitions: Record<string, Definition>): number =>
  Object.values(definitions).reduce((sum, definition) => sum + mostSeries(definition), 0)

t.test('docs/metrics.md has each metric as it is defined: `npm run metrics` makes its tables', async t => {
  const page = readFileSync('docs/metrics.md', 'utf8')
  t.equal(page, withMetrics(page))
  t.throws(() => withMetrics('without marks'), { message: 'the marks of the generated part are missing' })
})

t.test('the bounds of all metrics together are 3,000 series, and 3,003 more for 1,000 tenants', async t => {
  t.ok(seriesOf(usual) <= 3_000, `${seriesOf(usual)}`)
  t.equal(seriesOf(all) - seriesOf(usual), 3 * 1_001)
})

t.test('names follow the habits of Prometheus, and no label names a single thing of a tenant', async t => {
  for (const [name, { kind, labels, about }] of Object.entries<Definition>(all)) {
    t.match(name, /^(livegate|process)_[a-z_]+$/)
    t.equal(kind === 'counter', name.endsWith('_total'), name)
    if (kind === 'histogram') t.match(name, /_seconds$/)
    if (kind === 'histogram') t.ok(labels.length <= 1, `${name} costs sixteen series for each set of labels`)
    for (const label of labels) t.notMatch(label, /meeting|livestream|key|run|address|id$/, name)
    t.match(about, /^[A-Z01'].*[^.]$/, name)
  }
})
