import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { start } from '../cli.ts'
import type { TestContext } from '../gateway.ts'
import { ownPlace } from '../listen.ts'

export const rulesFile = 'docs/observability/livegate.rules.yaml'
const programs = { promtool: '/usr/bin/promtool', prometheus: '/usr/bin/prometheus' }

/** The programs of Debian's package `prometheus`; null where this machine lacks them. */
export function findPrometheus(): typeof programs | null {
  return Object.values(programs).every(path => existsSync(path)) ? programs : null
}

const spans: Record<string, string> = { '5m': '8s', '10m': '8s', '30m': '12s', '1h': '16s', '6h': '24s' }

/** The same rules with windows of seconds, so that an hour passes in a moment. */
export function shortened(rules: string): string {
  return rules.replace(/\[(\w+)\]/g, (_, span) => `[${spans[span] ?? span}]`).replace(/^(\s+for: ).*$/gm, '$12s')
}

export interface Prometheus {
  /** Names of the alerts that fire, each with its severity. */
  firing(): Promise<string[]>
  /** Names of all metrics that it has read. */
  names(): Promise<string[]>
}

/** A Prometheus that reads the metrics of one gateway each second, and minds the shortened rules. It ends with the test. */
export async function prometheus(t: TestContext, metricsUrl: string): Promise<Prometheus> {
  const folder = t.testdir()
  const { host, port } = ownPlace()
  writeFileSync(join(folder, 'rules.yaml'), shortened(readFileSync(rulesFile, 'utf8')))
  const target = new URL(metricsUrl).host
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: ['rules.yaml'],
    scrape_configs: [{ job_name: 'livegate', static_configs: [{ targets: [target] }] }]
  }
  writeFileSync(join(folder, 'prometheus.yaml'), JSON.stringify(config))
  start(
    t,
    [
      ...[programs.prometheus, `--config.file=${join(folder, 'prometheus.yaml')}`],
      ...[`--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=${host}:${port}`]
    ],
    {}
  )
  const ask = async (path: string) => {
    const answer = await fetch(`http://${host}:${port}/api/v1/${path}`).catch(() => null)
    return answer?.ok ? ((await answer.json()) as { data: never }).data : null
  }
  return {
    async firing() {
      const found = (await ask('alerts')) as {
        alerts: { state: string; labels: { alertname: string; severity: string } }[]
      } | null
      const firing = (found?.alerts ?? []).filter(({ state }) => state === 'firing')
      return [...new Set(firing.map(({ labels }) => `${labels.alertname}/${labels.severity}`))].sort()
    },
    names: async () => ((await ask('label/__name__/values')) as string[] | null) ?? []
  }
}
