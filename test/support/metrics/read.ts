import { type Shown, seriesIn } from '../../../src/metrics/text.ts'
import type { World } from '../gateway.ts'

export { type Shown, seriesIn } from '../../../src/metrics/text.ts'

/** Settings of a gateway that shows its metrics at any free port. */
export const showing = { host: '127.0.0.1', port: 0, hasTenants: false, restMs: 0 }

/** The address at which a gateway shows its metrics. */
export function metricsUrl({ logs }: Pick<World, 'logs'>): string {
  const [url] = /http:\/\/[\d.]+:\d+\/metrics/.exec(logs()) ?? []
  if (url === undefined) throw new Error('the log does not say where metrics are shown')
  return url
}

export async function readMetrics(world: Pick<World, 'logs'>): Promise<Shown> {
  return seriesIn(await (await fetch(metricsUrl(world))).text())
}
