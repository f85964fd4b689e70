/** An answer to the caller: an object is sent as JSON, a string as it is, nothing as nothing. */
export interface SimulatedAnswer {
  status: number
  body?: object | string
  headers?: Record<string, string>
}

/** The vendor says no: `serve` turns it into the vendor's ErrorResponse (contract#refusal-forms). */
export class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The input does not fit. How that is said is a switch: see `VendorState.invalid`. */
export class Invalid extends Error {
  readonly part: 'params' | 'query' | 'body'
  constructor(part: 'params' | 'query' | 'body', message: string) {
    super(message)
    this.part = part
  }
}

/** The vendor's envelope of a success: `{success, data}`. */
export function success(data: unknown, status = 200): SimulatedAnswer {
  return { status, body: { success: true, data } }
}

/** The vendor's envelope of a failure: `{success, error: {code, message}}`, the code being the HTTP status. */
export function failure(status: number, message: string): SimulatedAnswer {
  return { status, body: { success: false, error: { code: status, message } } }
}

/** ISO 8601 with milliseconds and Z, as every time in the vendor's answers. */
export function iso(at: number): string {
  return new Date(at).toISOString()
}

export function isoOrNull(at: number | null): string | null {
  return at === null ? null : iso(at)
}
