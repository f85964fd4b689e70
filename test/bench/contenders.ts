import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { type Seeded, serveLivegate } from '../support/bench/livegate.ts'
import { type Served, serve } from '../support/bench/process.ts'

export interface Contender {
  name: string
  /** True for Livegate: only it refuses. */
  ours: boolean
  /** The keys that are sent; the other contenders do not look at them. */
  seeded: Seeded
  start(): Promise<Served>
}

/** The contender by whose figures all others are divided. */
export const barePipe = 'bare pipe'
/** The proxy that most would write. */
export const usual = 'http-proxy + rate-limit + pino'
export const rollup = 'Livegate, reads rolled up'
export const all = 'Livegate, an event each'
export const metrics = 'Livegate, reads rolled up, metrics on'

/** Each gateway has a store of its own. */
export type Stores = Record<'rollup' | 'all' | 'metrics', Seeded>

/** The others, and Livegate with everything on, on a store of its own each. */
export function contenders(folder: string, vendorUrl: string, stores: Stores): Contender[] {
  const other = (name: string, file: string): Contender => ({
    name,
    ours: false,
    seeded: stores.rollup,
    start: () => serve({ name, folder, args: [contenderFile(`${file}.ts`)], env: { BENCH_UPSTREAM: vendorUrl } })
  })
  const livegate = (name: string, store: keyof Stores, env: Record<string, string>): Contender => ({
    name,
    ours: true,
    seeded: stores[store],
    start: () => serveLivegate({ name, vendorUrl, seeded: stores[store], env })
  })
  return [
    other(barePipe, 'bare-pipe'),
    other('reply-from', 'reply-from'),
    other(usual, 'http-proxy'),
    other('Express + http-proxy-middleware', 'express'),
    ...installed(folder, vendorUrl, stores.rollup),
    livegate(rollup, 'rollup', { LIVEGATE_AUDIT_READS: 'rollup' }),
    livegate(all, 'all', { LIVEGATE_AUDIT_READS: 'all' }),
    livegate(metrics, 'metrics', { LIVEGATE_AUDIT_READS: 'rollup', LIVEGATE_METRICS_PORT: '0' })
  ]
}

function contenderFile(name: string): string {
  return join(import.meta.dirname, 'contenders', name)
}

/** Proxies that are no Node, where the machine has them; each has a start script that ends as the proxy itself. */
function installed(folder: string, vendorUrl: string, seeded: Seeded): Contender[] {
  return ['nginx', 'haproxy'].filter(isInstalled).map(name => ({
    name,
    ours: false,
    seeded,
    start: () =>
      serve({
        name,
        folder,
        command: 'sh',
        args: [contenderFile(`${name}.sh`)],
        env: { BENCH_UPSTREAM: new URL(vendorUrl).host, BENCH_FOLDER: folder }
      })
  }))
}

function isInstalled(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`])
    return true
  } catch {
    return false
  }
}
