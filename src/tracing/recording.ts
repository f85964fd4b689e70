/** Traces that are recorded and exported. It is loaded where they are configured, and nowhere else. */
import { SpanKind as Kinds, type Span as OtelSpan, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import { AlwaysOnSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import manifest from '../../package.json' with { type: 'json' }
import { Failure } from '../domain/refusals/failures.ts'
import type { Clock } from '../domain/values/clock.ts'
import type { Secret } from '../domain/values/secret.ts'
import { SpanExport } from './span-export.ts'
import { begunLife, currentTrace, type Facts, inSpan, recorded, type Span, type Trace } from './trace.ts'
import { formatTraceParent, parseTraceParent, type TraceParent } from './traceparent.ts'
import { passedOn, type Tracing } from './tracing.ts'

export interface RecordingOptions {
  /** The collector's address for traces (OTLP over HTTP). */
  url: string
  /** Header fields for the collector, `name=value` with the value percent-encoded, separated by commas. */
  headers: Secret
  serviceName: string
  clock: Pick<Clock, 'monotonic'>
  onTrouble(error: unknown): void
  /** Traces that are recorded in a second, whoever asks for them. */
  mostPerSecond?: number
  /** Longest time to wait at the end for what is not exported yet. */
  closeWithinMs?: number
}

/** Longest time of an export, with its repetitions. */
const exportWithinMs = 5_000
/** Longest value of a fact, in characters. */
const longestValue = 200
/** Others that a span names. A question may be shared by hundreds. */
const mostLinks = 64

const kinds = { inside: Kinds.INTERNAL, vendor: Kinds.CLIENT } as const

/** Opens the way to a collector. Nothing is asked of it before there are spans, and nobody waits for it. */
export function openRecording(options: RecordingOptions): Tracing {
  const { url, headers, serviceName, clock, onTrouble, mostPerSecond = 100, closeWithinMs = 1_000 } = options
  const spans = new SpanExport(
    new OTLPTraceExporter({ url, headers: fieldsIn(headers), timeoutMillis: exportWithinMs }),
    exportWithinMs,
    onTrouble
  )
  const named = resourceFromAttributes({ 'service.name': serviceName, 'service.version': manifest.version })
  const tracer = new TracerProvider({
    resource: defaultResource().merge(named),
    sampler: new AlwaysOnSampler(),
    spanProcessors: [spans],
    spanLimits: { attributeValueLengthLimit: longestValue, linkCountLimit: mostLinks }
  }).getTracer('livegate', manifest.version)
  const mayRecord = bounded(mostPerSecond, clock)

  function begin(name: string, facts: Facts, kind: Kinds, within = ROOT_CONTEXT, startTime?: number): Span {
    const span = tracer.startSpan(
      name,
      { kind, attributes: facts, ...(startTime !== undefined && { startTime }) },
      within
    )
    const { traceId, spanId } = span.spanContext()
    return {
      parent: formatTraceParent({ traceId, spanId, sampled: true }),
      child: (name, facts, kind) => begin(name, facts, kinds[kind], trace.setSpan(ROOT_CONTEXT, span)),
      link: parent => link(span, parent),
      fail(error) {
        span.setAttribute('error.type', error instanceof Failure ? error.type : 'internal')
        span.setStatus({ code: SpanStatusCode.ERROR })
      },
      set: facts => void span.setAttributes(facts),
      end(facts = {}) {
        span.setAttributes(facts)
        if (Number(facts['http.response.status_code']) >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
        span.end()
      }
    }
  }

  return {
    ofCall(parent, name, facts, startedAtMs) {
      const isWanted = parent === null || parent.sampled
      if (!isWanted || !mayRecord()) return parent && passedOn(parent)
      const within = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, contextOf(parent))
      return traceOf(begin(name, facts, Kinds.SERVER, within, startedAtMs))
    },

    behind(cause, name, facts, work) {
      // Work that a call does itself is a part of it, and names the earlier one.
      if (currentTrace() !== null) return inSpan(name, facts, work, { causes: [cause] })
      if (!mayRecord()) return work()
      const span = begin(name, facts, Kinds.INTERNAL)
      if (cause !== null) span.link(cause)
      return recorded(span, traceOf(span), work)
    },

    get lost() {
      return spans.lost
    },

    async close() {
      let timer: NodeJS.Timeout | undefined
      const enough = new Promise<void>(resolve => {
        timer = setTimeout(resolve, closeWithinMs)
      })
      await Promise.race([spans.shutdown().catch(onTrouble), enough])
      clearTimeout(timer)
    }
  }
}

function traceOf(span: Span): Trace {
  return {
    id: parseTraceParent(span.parent)?.traceId ?? '',
    parent: span.parent,
    span,
    life: begunLife(),
    sharers: null
  }
}

function link(span: OtelSpan, parent: string): void {
  const other = parseTraceParent(parent)
  if (other !== null) span.addLink({ context: contextOf(other) })
}

function contextOf({ traceId, spanId, sampled }: TraceParent) {
  return { traceId, spanId, traceFlags: sampled ? 1 : 0, isRemote: true }
}

function fieldsIn(headers: Secret): Record<string, string> {
  const fields = headers
    .reveal()
    .split(',')
    .filter(field => field.trim() !== '')
  return Object.fromEntries(
    fields.map(field => {
      const [name = '', ...value] = field.split('=')
      return [name.trim(), decoded(value.join('=').trim())]
    })
  )
}

/** A value that is not percent-encoded well is taken as it is. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/** At most so many in any second. */
function bounded(mostPerSecond: number, clock: Pick<Clock, 'monotonic'>): () => boolean {
  const times = new Array<number>(mostPerSecond).fill(Number.NEGATIVE_INFINITY)
  let oldest = 0
  return () => {
    const nowMs = clock.monotonic()
    if (nowMs - (times[oldest] ?? 0) < 1_000) return false
    times[oldest] = nowMs
    oldest = (oldest + 1) % mostPerSecond
    return true
  }
}
