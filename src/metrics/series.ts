import type * as PromClient from 'prom-client'
import { buckets, type Definition } from './definition.ts'
import { all, type CounterName, type GaugeName, type HistogramName, usual } from './definitions/all.ts'

/** Puts a value of this moment into a gauge, or adds it to what is there under the same labels. */
export type Show = (name: GaugeName, value: number, ...labels: string[]) => void

/** Stands for each label of the sets beyond those that a metric may have. */
const other = 'other'

interface Sum {
  readonly labels: readonly string[]
  value: number
}

/** The sets of labels that a metric has by now, each with what is kept for it. It never has more than it may have. */
class Cells<Cell> {
  readonly #cells = new Map<string, Cell>()
  readonly #most: number
  readonly #make: (labels: readonly string[]) => Cell

  constructor({ most, values }: Definition, make: (labels: readonly string[]) => Cell) {
    this.#most = most
    this.#make = make
    for (const value of values) this.of([value])
  }

  of(labels: readonly string[]): Cell {
    const key = labels.join('\n')
    return this.#cells.get(key) ?? this.#add(key, labels)
  }

  all(): Iterable<Cell> {
    return this.#cells.values()
  }

  #add(key: string, labels: readonly string[]): Cell {
    const isFull = labels.length > 0 && this.#cells.size >= this.#most - 1
    const shown = isFull ? labels.map(() => other) : labels
    const shownKey = isFull ? shown.join('\n') : key
    const cell = this.#cells.get(shownKey) ?? this.#make(shown)
    this.#cells.set(shownKey, cell)
    return cell
  }
}

const sum = (labels: readonly string[]): Sum => ({ labels, value: 0 })

/** The series of all metrics. Counters are kept here as plain numbers, since they are counted more often than they are read. */
export class Series {
  readonly #registry: PromClient.Registry
  readonly #counters = new Map<string, { cells: Cells<Sum>; metric: PromClient.Counter }>()
  readonly #gauges = new Map<string, { definition: Definition; metric: PromClient.Gauge }>()
  readonly #histograms = new Map<string, Cells<{ observe(seconds: number): void }>>()

  constructor({ Registry, Counter, Gauge, Histogram }: typeof PromClient, hasTenants: boolean) {
    this.#registry = new Registry()
    const definitions: Record<string, Definition> = hasTenants ? all : usual
    for (const [name, definition] of Object.entries(definitions)) {
      const { kind, about: help, labels } = definition
      const given = { name, help, labelNames: [...labels], registers: [this.#registry] }
      if (kind === 'counter') {
        this.#counters.set(name, { cells: new Cells(definition, sum), metric: new Counter(given) })
      } else if (kind === 'gauge') {
        this.#gauges.set(name, { definition, metric: new Gauge(given) })
      } else {
        const metric = new Histogram({ ...given, buckets: [...buckets] })
        this.#histograms.set(name, new Cells(definition, labels => metric.labels(...labels)))
      }
    }
  }

  /** Counts nothing for a metric of single tenants where they are off. */
  count(name: CounterName, labels: readonly string[] = [], by = 1): void {
    const cell = this.#counters.get(name)?.cells.of(labels)
    if (cell !== undefined) cell.value += by
  }

  /** For a counter that is kept elsewhere. */
  setTotal(name: CounterName, value: number): void {
    const cell = this.#counters.get(name)?.cells.of([])
    if (cell !== undefined) cell.value = value
  }

  /** Adds a time to a histogram. */
  observe(name: HistogramName, ms: number, ...labels: string[]): void {
    this.#histograms
      .get(name)
      ?.of(labels)
      .observe(ms / 1_000)
  }

  /** All series in Prometheus' text format. @param look shows what gauges have at the moment */
  async text(look: (show: Show) => void): Promise<string> {
    for (const { cells, metric } of this.#counters.values()) {
      metric.reset()
      for (const { labels, value } of cells.all()) metric.labels(...labels).inc(value)
    }
    const shown = new Map([...this.#gauges].map(([name, { definition }]) => [name, new Cells(definition, sum)]))
    look((name, value, ...labels) => {
      const cell = shown.get(name)?.of(labels)
      if (cell !== undefined) cell.value += value
    })
    for (const [name, { metric }] of this.#gauges) {
      metric.reset()
      for (const { labels, value } of shown.get(name)?.all() ?? []) metric.labels(...labels).set(value)
    }
    return this.#registry.metrics()
  }

  get contentType(): string {
    return this.#registry.contentType
  }
}
