import type { FailureDetail } from '../../domain/refusals/failures.ts'
import { cleaned, type Own, wordsOf } from './vendor-words.ts'

/** The form in which the vendor refuses a field: `[body] "destinations" is not allowed`. The part in brackets may be left out. */
const form = /^(?:BAD_REQUEST: )?(?:\[(\w+)\] )?"(\w+(?:\.\w+|\[\d+\])*)" (.+)$/s

interface FieldRefusal {
  /** The part of the call that has the field, like `body` or `query`; null when the vendor doesn't say. */
  segment: string | null
  /** The way to the field, from the outside. */
  names: string[]
  words: string
}

/** Null when the vendor's refusal is not of that form. */
function fieldRefusal(body: unknown): FieldRefusal | null {
  const [, segment = null, field = '', words = ''] = form.exec(wordsOf(body)[0] ?? '') ?? []
  return field === '' ? null : { segment, names: field.split(/[.[\]]+/).filter(name => name !== ''), words }
}

/**
 * Tells a caller of a refusal that is about a field of its own body. The field is named as far as the caller has sent it; the
 * rest is in the vendor's words. Null when the refusal is about something else.
 */
export function aboutOwnField(body: unknown, own: Own): FailureDetail | null {
  const refused = fieldRefusal(body)
  if (refused === null || own.sent === undefined || !['body', null].includes(refused.segment)) return null
  const known: string[] = []
  for (let at: unknown = own.sent; typeof at === 'object' && at !== null; ) {
    const name = refused.names[known.length]
    if (name === undefined || !Object.hasOwn(at, name)) break
    known.push(name)
    at = (at as Record<string, unknown>)[name]
  }
  return known.length === 0 ? null : { field: ['body', ...known].join('.'), message: cleaned(refused.words, own) }
}

/** Whether the refusal is about the query of a read, and so says nothing of what was asked for. */
export function isAboutQuery(body: unknown, path: string): boolean {
  const refused = fieldRefusal(body)
  if (refused === null) return false
  const query = new URLSearchParams(path.split('?')[1] ?? '')
  return refused.segment === 'query' || (refused.segment === null && query.has(refused.names[0] ?? ''))
}
