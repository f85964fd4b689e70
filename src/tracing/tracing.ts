import { begunLife, currentTrace, type Facts, inTrace, outOfTraces, type Trace } from './trace.ts'
import { formatTraceParent, parseTraceParent, type TraceParent } from './traceparent.ts'

/** Makes the traces of calls and of work in the background. Nothing here throws, and nothing waits. */
export interface Tracing {
  /** The trace of a call whose caller is known; null where there is none. @param startedAtMs epoch ms @param parent the caller's own */
  ofCall(parent: TraceParent | null, name: string, facts: Facts, startedAtMs: number): Trace | null
  /** Does work in the background that an earlier call has made necessary. @param cause its `traceparent`, as it was kept */
  behind<T>(cause: string | null, name: string, facts: Facts, work: () => Promise<T>): Promise<T>
  /** Spans that were recorded and never arrived anywhere. */
  readonly lost: number
  close(): Promise<void>
}

/** Records nothing. A trace that a caller has named is passed on to the vendor, and is in the records of the call. */
export const passingOn: Tracing = {
  ofCall: parent => (parent === null ? null : passedOn(parent)),
  behind(cause, _name, _facts, work) {
    // Work that a call does itself is a part of it.
    if (currentTrace() !== null) return work()
    const parent = parseTraceParent(cause)
    return parent === null ? outOfTraces(work) : inTrace(passedOn(parent), work)
  },
  lost: 0,
  async close() {}
}

/** A trace in which nothing is recorded here. */
export function passedOn(parent: TraceParent): Trace {
  const { traceId: id } = parent
  return { id, parent: formatTraceParent(parent), span: null, life: begunLife(), sharers: null }
}
