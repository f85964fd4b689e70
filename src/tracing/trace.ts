import { AsyncLocalStorage } from 'node:async_hooks'

/** Facts about a span, for people. No secret, and nothing that a caller has written, belongs here. */
export type Facts = Record<string, string | number | boolean | undefined>

/** A recorded piece of work. Nothing here throws: what only observes decides nothing. */
export interface Span {
  /** The value of `traceparent` for whatever goes out from here. */
  readonly parent: string
  child(name: string, facts: Facts, kind: SpanKind): Span
  /** Names another span that has to do with this one. @param parent as its `traceparent` has it */
  link(parent: string): void
  set(facts: Facts): void
  fail(error: unknown): void
  end(facts?: Facts): void
}

/** `vendor`: a call that goes out to a vendor; `inside`: all else. */
export type SpanKind = 'inside' | 'vendor'

/** The trace that a piece of work belongs to. */
export interface Trace {
  readonly id: string
  /** The value of `traceparent` for whatever goes out from here. */
  readonly parent: string
  /** Null where nothing is recorded: then what is known of the caller's own field is passed on. */
  readonly span: Span | null
  readonly life: TraceLife
  /** Those who share the question that is asked here. */
  readonly sharers: Sharers | null
}

/**
 * Counts what still belongs to a call: its answer, and its handler, which may go on without its caller. What it has begun in the
 * background and left there is no part of it any more, though it still runs in its surroundings.
 */
export interface TraceLife {
  open: number
  isAnswered: boolean
}

/** The life of a call that has just come. */
export function begunLife(): TraceLife {
  return { open: 1, isAnswered: false }
}

const surroundings = new AsyncLocalStorage<Trace | undefined>()

/** The trace of what runs now; null where there is none, or where its call is over. */
export function currentTrace(): Trace | null {
  const trace = surroundings.getStore()
  return trace === undefined || trace.life.open === 0 ? null : trace
}

/** Tells a vendor which trace a call belongs to. No other field of tracing goes out: `tracestate` and `baggage` are for others. */
export function traceFields(): { traceparent?: string } {
  const trace = currentTrace()
  return trace === null ? {} : { traceparent: trace.parent }
}

export function inTrace<T>(trace: Trace, work: () => T): T {
  return surroundings.run(trace, work)
}

/** Does work that belongs to nobody's call, whoever has occasioned it. */
export function outOfTraces<T>(work: () => T): T {
  return surroundings.run(undefined, work)
}

/** Does a part of the work in a span of its own, where spans are recorded. @param causes other spans, as their `traceparent` has them */
export function inSpan<T>(
  name: string,
  facts: Facts,
  work: (span: Span | null) => Promise<T>,
  how: { kind?: SpanKind; causes?: readonly (string | null)[] } = {}
): Promise<T> {
  const trace = currentTrace()
  return trace === null || trace.span === null
    ? work(null)
    : inChild(trace, trace.span.child(name, facts, how.kind ?? 'inside'), work, how)
}

async function inChild<T>(
  trace: Trace,
  span: Span,
  work: (span: Span) => Promise<T>,
  { kind, causes = [] }: Parameters<typeof inSpan>[3] & object
): Promise<T> {
  for (const cause of causes) if (cause !== null) span.link(cause)
  const sharers = kind === 'vendor' ? trace.sharers : null
  sharers?.begun(span)
  try {
    return await recorded(span, trace, () => work(span))
  } finally {
    sharers?.ended(span)
  }
}

/** Does the work of a span that has begun, and ends it. */
export async function recorded<T>(span: Span, trace: Trace, work: () => Promise<T>): Promise<T> {
  try {
    return await surroundings.run({ ...trace, parent: span.parent, span }, work)
  } catch (error) {
    span.fail(error)
    throw error
  } finally {
    span.end()
  }
}

/** Calls that share an answer which another one has asked for. Its spans name theirs. */
export class Sharers {
  readonly #parents: string[] = []
  readonly #open = new Set<Span>()

  join(): void {
    const span = currentTrace()?.span
    if (span == null) return
    this.#parents.push(span.parent)
    for (const open of this.#open) open.link(span.parent)
  }

  begun(span: Span): void {
    this.#open.add(span)
    for (const parent of this.#parents) span.link(parent)
  }

  ended(span: Span): void {
    this.#open.delete(span)
  }
}

/** Asks a question that others may come to share. The callback is for each that does, in its own surroundings. */
export function shared<T>(ask: () => T): { asked: T; join(): void } {
  const trace = currentTrace()
  if (trace === null || trace.span === null) return { asked: ask(), join() {} }
  const sharers = new Sharers()
  return { asked: surroundings.run({ ...trace, sharers }, ask), join: () => sharers.join() }
}
