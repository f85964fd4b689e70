import { Secret } from '../domain/values/secret.ts'
import { type Input, isLoopback } from './environment.ts'
import { type Setting, secretText, text } from './setting.ts'

/** Settings of what shows the gateway from outside, and decides nothing. */
export interface Observing {
  /** The collector of traces; null: none are recorded. */
  readonly traces: TraceSettings | null
  /** One request of so many has a line in the log; null: none has. */
  readonly logRequestsOneIn: number | null
}

export interface TraceSettings {
  /** The whole address, with its path. */
  readonly url: string
  /** Header fields for the collector. Their values may be credentials. */
  readonly headers: Secret
  readonly serviceName: string
}

/** Variables of what shows the gateway from outside. */
export const observing = {
  OTEL_EXPORTER_OTLP_ENDPOINT: text(
    '',
    'A collector of traces (OpenTelemetry, OTLP over HTTP), like `http://127.0.0.1:4318`; `/v1/traces` is added ([docs/traces.md](traces.md)).',
    'no traces are recorded'
  ),
  OTEL_EXPORTER_OTLP_HEADERS: secretText(
    '',
    'Header fields for the collector, like `authorization=Bearer%20…`, separated by commas, their values percent-encoded. With them the collector must be reached by https, or on this machine.'
  ),
  OTEL_SERVICE_NAME: text('livegate', 'The name of this gateway in traces.'),
  LIVEGATE_LOG_REQUESTS: text(
    'off',
    'A line in the log for each request (`all`), for one of so many (`1/100`), or for none (`off`): [docs/logs.md](logs.md#requests).'
  )
} as const satisfies Record<string, Setting<string>>

export function readObserving(input: Input): Observing {
  return { traces: readTraces(input), logRequestsOneIn: readSampling(input) }
}

function readTraces(input: Input): TraceSettings | null {
  const [endpoint, headers, serviceName] = [
    read('OTEL_EXPORTER_OTLP_ENDPOINT'),
    read('OTEL_EXPORTER_OTLP_HEADERS'),
    read('OTEL_SERVICE_NAME')
  ]
  if (headers !== '' && !isHeaderList(headers))
    input.problem('OTEL_EXPORTER_OTLP_HEADERS must be name=value, separated by commas')
  if (!/^[\w.-]{1,64}$/.test(serviceName))
    input.problem('OTEL_SERVICE_NAME must be letters, digits, dots, - and _, at most 64')
  if (endpoint === '') return null
  const url = URL.parse(endpoint)
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === ''
  if (url === null || !isPlain || !/^https?:$/.test(url.protocol)) {
    input.problem('OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https address without user, query and fragment')
    return null
  }
  if (headers !== '' && url.protocol === 'http:' && !isLoopback(url.hostname))
    input.problem('OTEL_EXPORTER_OTLP_ENDPOINT must be https with OTEL_EXPORTER_OTLP_HEADERS: they may be credentials')
  return { url: `${url.href.replace(/\/+$/, '')}/v1/traces`, headers: new Secret(headers), serviceName }

  function read(name: keyof typeof observing): string {
    return observing[name].read(input, name)
  }
}

function readSampling(input: Input): number | null {
  const text = observing.LIVEGATE_LOG_REQUESTS.read(input, 'LIVEGATE_LOG_REQUESTS')
  if (text === 'off') return null
  const [, many] = /^1\/([1-9]\d{0,5})$/.exec(text) ?? []
  if (many === undefined && text !== 'all')
    input.problem('LIVEGATE_LOG_REQUESTS must be off, all, or one of so many like 1/100')
  return Number(many ?? 1)
}

const headerField = /^[\w!#$%&'*+.^`|~-]+=[\x21-\x7e]*$/

function isHeaderList(list: string): boolean {
  return list.split(',').every(field => headerField.test(field.trim()))
}
