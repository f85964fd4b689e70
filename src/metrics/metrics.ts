import * as promClient from 'prom-client'
import manifest from '../../package.json' with { type: 'json' }
import type { Observer } from '../domain/observer.ts'
import { MetricsListener } from './listener.ts'
import { type Sources, showState } from './look.ts'
import { countingObserver, showFromZero, shownNames } from './observer.ts'
import { cpuSeconds, showProcess, watchEventLoop } from './process.ts'
import { Series } from './series.ts'

export interface MetricsOptions {
  host: string
  port: number
  /** Tenants have series of their own. */
  hasTenants: boolean
  restMs: number
  onListen(url: string): void
  onTrouble(error: unknown): void
}

/** The metrics of a gateway: what it hears is counted from now on, and what it looks at is shown once `show` names its parts. */
export interface Metrics {
  readonly observer: Observer
  /** Listens. What the sources throw is told as trouble, and goes no further. */
  show(sources: Sources): Promise<void>
  close(): Promise<void>
}

/** To be loaded by a gateway with metrics alone: this file brings prom-client. */
export function openMetrics({ hasTenants, ...listening }: MetricsOptions): Metrics {
  const series = new Series(promClient, hasTenants)
  const names = shownNames()
  const { observer, storeWrites } = countingObserver(series, names)
  const endWatch = watchEventLoop(lateMs => series.observe('livegate_event_loop_delay_seconds', lateMs))
  let listener: MetricsListener | null = null

  return {
    observer,
    async show(sources) {
      const text = (): Promise<string> => {
        const { lost, waiting } = sources.log()
        series.setTotal('livegate_log_lines_lost_total', lost)
        series.setTotal('livegate_trace_spans_lost_total', sources.traces().lost)
        series.setTotal('process_cpu_seconds_total', cpuSeconds())
        for (const { name } of sources.upstreams()) showFromZero(series, names.upstreamOf(name))
        return series.text(show => {
          show('livegate_build_info', 1, manifest.version, process.versions.node)
          show('livegate_log_lines_waiting', waiting)
          show('livegate_store_writes_waiting', storeWrites())
          showProcess(show)
          showState(show, sources, names)
        })
      }
      listener = new MetricsListener({ ...listening, contentType: series.contentType, text })
      await listener.start()
    },
    async close() {
      endWatch()
      await listener?.close()
    }
  }
}
