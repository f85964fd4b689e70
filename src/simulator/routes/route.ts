import type { SimulatedAnswer } from '../answers.ts'

/** One call of an operation. Nothing in it was decoded or normalised: ids are the bytes between two slashes. */
export interface SimulatedCall {
  /** The first `{…}` of the path; empty when there is none. */
  id: string
  /** The second one. */
  second: string
  query: URLSearchParams
  /** Empty when nothing was sent. */
  body: Record<string, unknown>
}

/** `METHOD /path` relative to the vendor's API, as in contract#operations, with what it does. */
export type Routes = Record<string, (call: SimulatedCall) => SimulatedAnswer>

/** A route and the id in it; undefined when no pattern fits the path as it stands. */
export function findRoute(
  routes: Routes,
  method: string,
  path: string
): { id: string; second: string; handle: Routes[string] } | undefined {
  for (const [pattern, handle] of Object.entries(routes)) {
    const [verb = '', template = ''] = pattern.split(' ')
    const ids = verb === method ? idsIn(path, template) : undefined
    if (ids !== undefined) return { id: ids[0] ?? '', second: ids[1] ?? '', handle }
  }
  return undefined
}

/** Dot segments are never an id: the vendor's server must not look more forgiving than a real one behind a proxy. */
function idsIn(path: string, template: string): string[] | undefined {
  const [parts, wanted] = [path.split('/'), template.split('/')]
  const ids = parts.filter((_, i) => wanted[i] === '{id}')
  const fits = parts.length === wanted.length && wanted.every((part, i) => part === '{id}' || part === parts[i])
  return fits && ids.every(id => id !== '' && id !== '.' && id !== '..') ? ids : undefined
}
