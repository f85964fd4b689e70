import { validateHeaderName, validateHeaderValue } from 'node:http'
import { assertFields, boolean, isObject, number, object, oneOf, type Rule, string, text } from '../rules.ts'

/**
 * One way in which a vendor can fail. `status`, `body`, `garbage`, `huge`, `redirect`, `retryAfterSeconds`, `hangUp` and
 * `stall` stand instead of the work unless `afterWork` is set; the others act on the real answer. They combine: the first
 * six of these choose an answer, `mutate` and `headers` change it, `stallBody` and `drip` say how it is sent.
 */
export interface Fault {
  /**
   * The requests that it hits; absent: any. `path` is relative to the vendor's API, without the query, or that of the key of its webhooks; `*` stands for a part of one
   * segment, `**` for anything.
   */
  match?: { method?: string; path?: string }
  /** 200 to 599. */
  status?: number
  /** An object is sent as JSON, a string as it is. */
  body?: string | object
  headers?: Record<string, string>
  /** Real milliseconds, whatever clock was injected: before the work, or with `afterWork` between work and answer. */
  delayMs?: number
  /** The work is done before the fault acts: a caller hears of a failure that was none. */
  afterWork?: boolean
  /** The socket is destroyed instead of an answer. */
  hangUp?: boolean
  /** No answer until `close`. */
  stall?: boolean
  /** Headers, half of the body, then nothing until `close`. */
  stallBody?: boolean
  /** 200 with a body that is not JSON. */
  garbage?: boolean
  /** The answer arrives slowly: for time-outs that start again with each chunk. */
  drip?: { bytesPerSecond: number }
  /** An answer of so many bytes of JSON, at least those of its envelope. */
  huge?: number
  /** The 429 of the vendor's edge (contract#cloudflare-quota), at Dyte without a body (contract#dyte-quota). */
  retryAfterSeconds?: number
  /** 302 to this location. */
  redirect?: string
  /** The real answer, changed so that it is no longer an answer to the question. */
  mutate?: Distortion
}

const distortions = ['wrong_shape', 'other_meeting', 'null_data', 'list_data', 'other_id', 'unknown_status'] as const
export type Distortion = (typeof distortions)[number]

const path = text('a string that begins with a slash', value => value.startsWith('/'))
const rules: Record<keyof Fault, Rule> = {
  match: object,
  status: number(200, 599),
  body: {
    says: 'a string or an object',
    kind: value => typeof value === 'string' || (typeof value === 'object' && value !== null)
  },
  headers: {
    says: 'an object of valid header names and values',
    kind: value => isObject(value) && Object.entries(value).every(isHeader)
  },
  delayMs: number(0, 3_600_000, true),
  afterWork: boolean,
  hangUp: boolean,
  stall: boolean,
  stallBody: boolean,
  garbage: boolean,
  drip: {
    says: 'an object with bytesPerSecond, a whole number from 1 up, and nothing else',
    kind: isObject,
    fits: ({ bytesPerSecond, ...rest }: { bytesPerSecond?: number }) =>
      Number.isInteger(bytesPerSecond) && Number(bytesPerSecond) > 0 && Object.keys(rest).length === 0
  },
  huge: number(1, Number.MAX_SAFE_INTEGER),
  retryAfterSeconds: number(0, 86_400),
  redirect: text('a string that can stand in a header', value => isHeader(['location', value])),
  mutate: oneOf(...distortions)
}

/** @throws TypeError or RangeError naming the field; unknown fields are refused, since a misspelt fault would never fail. */
function assertFault(fault: Fault): void {
  assertFields('fault', rules, fault)
  assertFields('fault match', { method: string, path }, fault.match ?? {})
}

/** Node would throw when the answer is written: too late for whoever made the fault. */
function isHeader([name, value]: [string, unknown]): boolean {
  if (typeof value !== 'string') return false
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return true
  } catch {
    return false
  }
}

/** The faults that wait for requests. Queued ones come before standing ones, older before newer; a request gets one. */
export class Faults {
  #queued: Fault[] = []
  #standing: Fault[] = []

  /** Each fault hits one request and is gone; the whole list is queued `times` times. */
  queue(faults: Fault[], times: number): void {
    for (const fault of faults) assertFault(fault)
    assertFields('failNext', { times: number(1, 1_000_000) }, { times })
    for (let i = 0; i < times; i++) this.#queued.push(...faults)
  }

  /** Hits every request until the returned function is called. */
  stand(fault: Fault): () => void {
    assertFault(fault)
    const own = { ...fault }
    this.#standing.push(own)
    return () => {
      this.#standing = this.#standing.filter(one => one !== own)
    }
  }

  clear(): void {
    this.#queued = []
    this.#standing = []
  }

  /** The fault of this request. `path` is relative to the vendor's API, or null for a request elsewhere, which no pattern fits. */
  take(method: string, path: string | null): Fault | undefined {
    const fits = (fault: Fault): boolean => matches(fault, method, path)
    const next = this.#queued.findIndex(fits)
    return next >= 0 ? this.#queued.splice(next, 1)[0] : this.#standing.find(fits)
  }
}

function matches({ match = {} }: Fault, method: string, path: string | null): boolean {
  if (match.method !== undefined && match.method.toUpperCase() !== method) return false
  return match.path === undefined || (path !== null && pathPattern(match.path).test(path))
}

function pathPattern(pattern: string): RegExp {
  const parts = pattern.split(/(\*+)/).map(part => {
    if (part.startsWith('**')) return '.*'
    return part === '*' ? '[^/]*' : part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}$`, 's')
}
