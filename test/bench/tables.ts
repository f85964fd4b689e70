import { grouped, median } from '../support/bench/figures.ts'
import type { Row } from './compare.ts'
import { all, barePipe, rollup, usual } from './contenders.ts'
import { type Added, type Times, vendorMs } from './latency.ts'
import { type ScenarioName, scenarioNames, scenarios } from './scenarios.ts'

/** A table in Markdown; the first column is text, the others are figures. */
export function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`

/** The median, and in brackets the least and the most of all rounds. */
function spread(values: number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return `${median(values).toFixed(0)} (${least.toFixed(0)}–${most.toFixed(0)})`
}

/** Scenario by scenario: everybody's microseconds, and how many bare pipes that is. */
export function costTable(rows: Row[]): string {
  const parts = scenarioNames.map(name => {
    const measured = rows.filter(row => row.cpuUs[name] !== undefined)
    const bare = costOf(rows, barePipe, scenarios[name].oursOnly ? 'uncoalesced' : name)
    const lines = measured.map(({ contender, cpuUs, vendorCalls }) => {
      const values = cpuUs[name] ?? []
      const ratio = (median(values) / bare).toFixed(2)
      return [contender, spread(values), ratio, (vendorCalls[name] ?? Number.NaN).toFixed(3)]
    })
    const head = [scenarios[name].name, 'CPU µs a request', '× bare pipe', 'vendor calls a request']
    return table(head, lines)
  })
  return parts.join('\n\n')
}

export function memoryTable(rows: Row[]): string {
  const lines = rows.map(({ contender, idleBytes, afterBytes, checked, failed }) => {
    return [contender, megabytes(idleBytes), megabytes(afterBytes), grouped(checked), grouped(failed)]
  })
  return table(['', 'memory idle', 'after the load', 'answers checked', 'wrong'], lines)
}

export function latencyTable(added: Added[]): string {
  const ms = (value: number): string => value.toFixed(2)
  const both = ({ p50, p99 }: Times): string => `${ms(p50)} / ${ms(p99)}`
  const lines = added.map(({ contender, read, start, stop, failed }) => {
    return [contender, both(read), both(start), both(stop), String(failed)]
  })
  return table([`added ms at 50 calls/s, p50 / p99`, 'read', 'start', 'stop', 'wrong'], lines)
}

function costOf(rows: Row[], contender: string, name: ScenarioName): number {
  return median(rows.find(row => row.contender === contender)?.cpuUs[name] ?? [])
}

/** The targets, and whether they are reached. */
export function targetTable(rows: Row[], added: Added[]): string {
  const cost = (contender: string, name: ScenarioName): number => costOf(rows, contender, name)
  const ratios: [string, number, number][] = [
    ['coalesced read, rolled up ÷ bare pipe', cost(rollup, 'coalesced') / cost(barePipe, 'coalesced'), 0.7],
    ['coalesced read, an event each ÷ bare pipe', cost(all, 'coalesced') / cost(barePipe, 'coalesced'), 1],
    [`uncoalesced read, rolled up ÷ ${usual}`, cost(rollup, 'uncoalesced') / cost(usual, 'uncoalesced'), 1],
    [`uncoalesced read, an event each ÷ ${usual}`, cost(all, 'uncoalesced') / cost(usual, 'uncoalesced'), 1],
    [`start or stop ÷ ${usual}`, cost(rollup, 'pairs') / cost(usual, 'pairs'), 2],
    ['401 ÷ uncoalesced read', cost(rollup, 'unauthorized') / cost(rollup, 'uncoalesced'), 0.4],
    ['429 ÷ uncoalesced read', cost(rollup, 'throttled') / cost(rollup, 'uncoalesced'), 0.4]
  ]
  const times = added
    .filter(({ contender }) => contender === rollup)
    .flatMap(({ read, start, stop }): [string, number, number][] => [
      ['added to a read, p50 (ms)', read.p50, 1],
      ['added to a read, p99 (ms)', read.p99, 5],
      [`added to a start, p99 (ms), beside the ${vendorMs} ms of its look at the vendor`, start.p99 - vendorMs, 15],
      ['added to a stop, p99 (ms)', stop.p99, 15]
    ])
  const lines = [...ratios, ...times].map(([what, is, most]) => {
    return [what, is.toFixed(2), `≤ ${most}`, is <= most ? 'yes' : '**no**']
  })
  return table(['target', 'measured', 'wanted', 'reached'], lines)
}
