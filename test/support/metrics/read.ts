import type { World } from '../gateway.ts'

/** The series of a gateway by name and labels, as `livegate_stops_total{result="stopped"}`. */
export type Shown = Map<string, number>

/** Settings of a gateway that shows its metrics at any free port. */
export const showing = { host: '127.0.0.1', port: 0, hasTenants: false }

/** The address at which a gateway shows its metrics. */
export function metricsUrl({ logs }: Pick<World, 'logs'>): string {
  const [url] = /http:\/\/[\d.]+:\d+\/metrics/.exec(logs()) ?? []
  if (url === undefined) throw new Error('the log does not say where metrics are shown')
  return url
}

export async function readMetrics(world: Pick<World, 'logs'>): Promise<Shown> {
  return seriesIn(await (await fetch(metricsUrl(world))).text())
}

/** The series of a text in Prometheus' format. */
export function seriesIn(text: string): Shown {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map(line => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    })
  )
}
