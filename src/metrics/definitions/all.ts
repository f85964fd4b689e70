import { broadcasts } from './broadcasts.ts'
import { gatewayProcess } from './process.ts'
import { records } from './records.ts'
import { requests } from './requests.ts'
import { tenants } from './tenants.ts'
import { upstreams } from './upstreams.ts'
import { webhooks } from './webhooks.ts'

/** All metrics, but for those of single tenants. A new one is a row in the file of its subject. */
export const usual = { ...broadcasts, ...requests, ...upstreams, ...webhooks, ...records, ...gatewayProcess }
/** The same with them. */
export const all = { ...usual, ...tenants }

/** The headings of docs/metrics.md. */
export const headings = {
  'Starts, stops and runs': broadcasts,
  'Calls of callers': requests,
  'Vendor accounts': upstreams,
  Webhooks: webhooks,
  'Audit log, store and log': records,
  'Process and health': gatewayProcess,
  'Single tenants': tenants
}

type All = typeof all
type NamesOf<Kind> = { [Name in keyof All]: All[Name] extends { kind: Kind } ? Name : never }[keyof All]
export type CounterName = NamesOf<'counter'>
export type GaugeName = NamesOf<'gauge'>
export type HistogramName = NamesOf<'histogram'>
