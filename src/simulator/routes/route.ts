import type { SimulatedAnswer } from '../answers.ts'

/** One call of an operation. Nothing in it was decoded or normalised: ids are the bytes between two slashes. */
export interface SimulatedCall {
  /** The first `{…}` of the path; empty when there is none. */
  id: string
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
): { id: string; handle: Routes[string] } | undefined {
  for (const [pattern, handle] of Object.entries(routes)) {
    const [verb = '', template = ''] = pattern.split(' ')
    const id = verb === method ? idIn(path, template) : undefined
    if (id !== undefined) return { id, handle }
  }
  return undefined
}

/** Dot segments are never an id: the vendor's server must not look more forgiving than a real one behind a proxy. */
function idIn(path: string, template: string): string | undefined {
  const [before = '', after] = template.split('{id}')
  if (after === undefined) return path === template ? '' : undefined
  const id = path.slice(before.length, path.length - after.length)
  const fits = path.startsWith(before) && path.endsWith(after) && path === before + id + after
  return fits && /^[^/]+$/.test(id) && id !== '.' && id !== '..' ? id : undefined
}
