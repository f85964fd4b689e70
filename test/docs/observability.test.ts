import { globSync, readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import type { Definition } from '../../src/metrics/definition.ts'
import { usual } from '../../src/metrics/definitions/all.ts'
import { gateway } from '../support/gateway.ts'
import { readMetrics, showing } from '../support/metrics/read.ts'
import { scenarios } from '../support/observability/scenarios.ts'

interface Rule {
  alert?: string
  record?: string
  labels?: { severity: string }
  annotations?: { summary: string; runbook: string }
}

const read = (file: string): string => readFileSync(file, 'utf8')
const folder = 'docs/observability'
const rulesText = read(`${folder}/livegate.rules.yaml`)
const board = read(`${folder}/livegate.dashboard.json`)
const { groups } = parse(rulesText) as { groups: { rules: Rule[] }[] }
const rules = groups.flatMap(group => group.rules)
const alerts = rules.filter(({ alert }) => alert !== undefined)
const runbooks = globSync(`${folder}/runbooks/*.md`)

t.test('each alert has a severity, a summary, and a runbook of its own', async t => {
  t.ok(alerts.length > 20)
  const pages = alerts.map(({ alert = '', labels, annotations }) => {
    t.match(labels?.severity, /^(page|ticket)$/, alert)
    t.ok(annotations?.summary, alert)
    const name = alert.slice('Livegate'.length).replace(/(?<!^)[A-Z]/g, '-$&')
    const page = `${folder}/runbooks/${name.toLowerCase()}.md`
    t.equal(annotations?.runbook, page)
    for (const heading of [`# ${alert}`, '## Meaning', '## Look at', '## Do']) t.match(read(page), `${heading}\n`, page)
    return page
  })
  t.strictSame([...new Set(pages)].sort(), runbooks.sort(), 'no page is left over')
})

t.test('the events of the log that a runbook names are those of the page on the log', async t => {
  const events = new Set([...read('docs/logs.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name))
  const lines = runbooks.flatMap(file => read(file).match(/^- The log: .*$/gm) ?? [])
  t.ok(lines.length > 10)
  const fields = new Set(['type'])
  for (const line of lines)
    for (const [, name = ''] of line.matchAll(/`([a-z_]+)`/g))
      t.ok(events.has(name) || fields.has(name), `${name} in: ${line}`)
})

t.test('each alert fires in a scenario', async t => {
  const fire = new Set(Object.values(scenarios).flatMap(({ fires }) => fires as readonly string[]))
  t.strictSame([...fire].sort(), alerts.map(({ alert, labels }) => `${alert}/${labels?.severity}`).sort())
})

t.test(
  'metrics that rules, board and runbooks name are shown by a gateway, and all others are in the board',
  async t => {
    const world = await gateway(t, { config: { metrics: showing } })
    const { asAcme, meeting, simulator } = world
    await asAcme('POST', `/v2/meetings/${meeting}/livestreams`, {})
    await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
    simulator.failNext({ match: { method: 'POST' }, hangUp: true }, 3)
    await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`, {})
    const series = await readMetrics(world)
    t.equal(series.get('livegate_unknown_operations{kind="stop"}'), 1)
    const lines = [...series.keys()].map(name => name.replace(/\{.*/, ''))
    // A histogram is named as a whole, or by one of its parts.
    const shown = new Set([...lines, ...lines.map(name => name.replace(/_(bucket|sum|count)$/, ''))])
    const named = (text: string): string[] => [
      ...new Set([...text.matchAll(/\b(?:livegate|process)_[a-z_]+\b/g)].map(([name]) => name))
    ]
    const texts = { rules: rulesText, board, ...Object.fromEntries(runbooks.map(file => [file, read(file)])) }
    for (const [where, text] of Object.entries(texts))
      for (const name of named(text)) t.ok(shown.has(name), `${name} in ${where}`)
    const inBoard = new Set(named(board).map(name => name.replace(/_bucket$/, '')))
    for (const name of Object.keys(usual)) {
      const parts = [name, `${name}_count`, `${name}_sum`]
      t.ok(
        parts.some(part => inBoard.has(part)),
        `${name} is in the board`
      )
    }
  }
)

t.test('the labels that rules and board ask for are those of their metrics', async t => {
  const definitions: Record<string, Definition> = usual
  for (const [, name = '', selector = ''] of `${rulesText}${board.replaceAll('\\"', '"')}`.matchAll(
    /\b(livegate_[a-z_]+)\{([^{}]*)\}/g
  )) {
    const metric = definitions[name] ?? definitions[name.replace(/_(bucket|count|sum)$/, '')]
    if (metric === undefined) throw new Error(name)
    const labels = [...selector.matchAll(/(\w+)(=~?|!=|!~)"([^"]*)"/g)]
    for (const [, label = '', how, value = ''] of labels) {
      t.ok([...metric.labels, 'le', 'job', 'instance'].includes(label), `${label} of ${name}`)
      const isKnown = metric.values.length > 0 && label === metric.labels[0] && how === '='
      if (isKnown) t.ok(metric.values.includes(value), `${label}="${value}" of ${name}`)
    }
  }
})

t.test('the board can be imported: each panel has a place, a title and a query', async t => {
  const { panels, templating, uid } = JSON.parse(board)
  t.equal(uid, 'livegate')
  t.strictSame(
    templating.list.map(({ name }: { name: string }) => name),
    ['datasource', 'job']
  )
  t.ok(panels.length > 20)
  for (const { type, title, gridPos, targets = [] } of panels) {
    t.ok(title)
    t.match(gridPos, { h: Number, w: Number, x: Number, y: Number })
    if (type !== 'row') for (const { expr } of targets) t.match(expr, /job="\$job"/, title)
    if (type !== 'row') t.ok(targets.length > 0, title)
  }
})
