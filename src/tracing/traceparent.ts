/** The field by which a caller says which trace its call belongs to (W3C Trace Context). */
export interface TraceParent {
  /** 32 hex digits. */
  readonly traceId: string
  /** The caller's span, 16 hex digits. */
  readonly spanId: string
  /** Whether the caller records its part. */
  readonly sampled: boolean
}

const form = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/
const isSampled = 1

/** Reads `traceparent`; null for one that is missing, twice there, or not as the specification has it: it is ignored then. */
export function parseTraceParent(field: string | string[] | undefined | null): TraceParent | null {
  if (typeof field !== 'string') return null
  const [, version, traceId = '', spanId = '', flags = '', rest] = form.exec(field) ?? []
  // A later version may say more behind it.
  if (version === undefined || (version === '00' && rest !== undefined)) return null
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & isSampled) === isSampled }
}

/** Writes it in the version that is known here, with none of the flags that are not. */
export function formatTraceParent({ traceId, spanId, sampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-0${sampled ? isSampled : 0}`
}
