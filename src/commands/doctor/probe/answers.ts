import type { Heard } from '../../../upstream/transport/vendor-inspector.ts'

/** The vendor's answer to one question. */
export interface Observed {
  question: string
  status: number
  /** The names of its fields, and no value of any. */
  shape: string
}

/** The findings so far. */
export class Answers {
  /** Answers by the switches of `livegate simulate`. */
  readonly known = new Map<string, string>()
  /** Questions that this vendor does not answer, or not in a way that the simulator has; with the reason. */
  readonly open = new Map<string, string>()
  readonly observed: Observed[] = []

  tell(question: string, answer: string | number, fits: readonly string[] = [String(answer)]): void {
    if (fits.includes(String(answer))) this.known.set(question, String(answer))
    else this.open.set(question, `the vendor answered ${answer}, which the simulator does not imitate`)
  }

  observe(question: string, { status, body }: Pick<Heard, 'status' | 'body'>): void {
    this.observed.push({ question, status, shape: shapeOf(body) })
  }
}

const deepest = 4

/** Shape of a body: the names of its fields and the length of its lists. Never what stands in it. */
export function shapeOf(body: unknown, depth = 0): string {
  if (body === null) return 'null'
  if (body === undefined) return 'nothing that is JSON'
  if (typeof body !== 'object') return typeof body
  if (depth === deepest) return '…'
  if (Array.isArray(body)) return body.length === 0 ? '[]' : `[${body.length} × ${shapeOf(body[0], depth + 1)}]`
  const fields = Object.entries(body).map(([name, value]) => {
    // Ids can be the names of fields: then they are values, which are never shown.
    const shown = /^[a-z_][a-z_]{0,39}$/i.test(name) ? name : '?'
    return typeof value === 'object' && value !== null ? `${shown} ${shapeOf(value, depth + 1)}` : fieldOf(shown, value)
  })
  return `{${fields.join(', ')}}`
}

function fieldOf(name: string, value: unknown): string {
  return value === null ? `${name} null` : name
}
