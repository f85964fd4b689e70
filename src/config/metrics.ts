import { parseAddress } from '../domain/values/address.ts'
import type { Input } from './environment.ts'
import { choice, type Setting } from './setting.ts'

/** Address at which metrics are shown, where `LIVEGATE_METRICS_PORT` names one. */
interface Place {
  /** Null: that of `LIVEGATE_METRICS_HOST`. */
  readonly host: string | null
  readonly port: number
}

/** How metrics are shown. */
export interface MetricsConfig {
  readonly host: string
  readonly port: number
  /** Tenants have series of their own. */
  readonly hasTenants: boolean
  /** Readers who come sooner than this after another get the same text. */
  readonly restMs: number
}

/** To make the text costs some milliseconds of the CPU. Nobody can have it made all the time. */
const restMs = 100

/** A port, or an address with a port; null where it is not set. */
function place(about: string): Setting<Place | null> {
  const read = (input: Input, name: string): Place | null => {
    const value = input.text(name, '')
    if (value === '') return null
    const [, bracketed, plain, digits = ''] = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d{1,5})$/.exec(value) ?? []
    const address = bracketed ?? plain
    const host = address === undefined ? null : parseAddress(address)
    const port = digits === '' ? Number.NaN : Number(digits)
    if (port <= 65_535 && (address === undefined || host !== null)) return { host: host?.text ?? null, port }
    input.problem(`${name} must be a port, or an address with one, like 9464, 10.0.0.7:9464 or [fd12::7]:9464`)
    return null
  }
  return { about, text: '', fallback: null, unset: 'no metrics', read }
}

/** An IP address. */
function ip(fallback: string, about: string): Setting<string> {
  const read = (input: Input, name: string): string => {
    const address = parseAddress(input.text(name, fallback))
    if (address === null) input.problem(`${name} must be an IP address`)
    return address?.text ?? fallback
  }
  return { about, text: fallback, fallback, read }
}

export const metricsSettings = {
  LIVEGATE_METRICS_PORT: place(
    'The port where metrics are shown, for Prometheus; `address:port` where it is not at `LIVEGATE_METRICS_HOST`. It is never the port of callers ([docs/metrics.md](metrics.md)).'
  ),
  LIVEGATE_METRICS_HOST: ip(
    '127.0.0.1',
    'The address of that port. In a container it is `0.0.0.0`: nothing but the network keeps readers away.'
  ),
  LIVEGATE_METRICS_TENANTS: choice(
    'off',
    ['off', 'on'],
    'With `on` the first 1,000 tenants have series of their own; the others share one.'
  )
}

/** Reads them together; null where no metrics are wanted. @param port the one of callers; null at a Unix socket */
export function readMetrics(input: Input, port: number | null): MetricsConfig | null {
  const { LIVEGATE_METRICS_PORT, LIVEGATE_METRICS_HOST, LIVEGATE_METRICS_TENANTS } = metricsSettings
  const place = LIVEGATE_METRICS_PORT.read(input, 'LIVEGATE_METRICS_PORT')
  const host = LIVEGATE_METRICS_HOST.read(input, 'LIVEGATE_METRICS_HOST')
  const hasTenants = LIVEGATE_METRICS_TENANTS.read(input, 'LIVEGATE_METRICS_TENANTS') === 'on'
  if (place === null) return null
  // Callers must never come to see them, whatever address the two listen at.
  if (place.port !== 0 && place.port === port) input.problem('LIVEGATE_METRICS_PORT must be another port than PORT')
  return Object.freeze({ host: place.host ?? host, port: place.port, hasTenants, restMs })
}
