/** The trace that a call belongs to. */
export interface TraceName {
  /** 32 hex digits. */
  readonly id: string
  /** The value of `traceparent` by which others name the call (W3C Trace Context). */
  readonly parent: string
}

/** Reads it as it was kept. */
export function traceNamed(parent: string | null): TraceName | null {
  return parent === null ? null : { id: parent.slice(3, 35), parent }
}
