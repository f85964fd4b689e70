import { Type } from 'typebox'

/**
 * Form of a vendor's id. All published ones are UUIDs, but the contract types livestream ids as plain
 * strings, so this is wider; it has no dot, slash, percent sign or white space, so an id can be nothing but one segment.
 */
export const vendorIdPattern = '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'
const matcher = new RegExp(vendorIdPattern)

export function isVendorId(text: string): boolean {
  return matcher.test(text)
}

const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

/** A UUID is the same id in any case; any other id is another one when a letter is. */
export function isUuid(id: string): boolean {
  return uuid.test(id)
}

/** Whether two ids, of which either may come from a vendor, are one. */
export function isSameId(one: string, other: string): boolean {
  return likelySpelling(one) === likelySpelling(other)
}

/** As a vendor would write it, for an id that it is yet to be asked for: a UUID in lower case, any other id as it is. */
export function likelySpelling(id: string): string {
  return isUuid(id) ? id.toLowerCase() : id
}

/** An id, and what a query about it needs to know; in parts, so that it can be compiled once. */
export interface Spelled {
  id: string
  likely: string
  uuid: boolean
}

export function spelled(id: string): Spelled {
  return { id, likely: likelySpelling(id), uuid: isUuid(id) }
}

/** Key of a meeting among those of all upstreams. No name of an upstream has a slash. */
export function placeOf({ id, upstream }: { id: string; upstream: string }): string {
  return `${upstream}/${id}`
}

/** The meeting that a key of `placeOf` stands for. */
export function fromPlace(place: string): { id: string; upstream: string } {
  const end = place.indexOf('/')
  return { upstream: place.slice(0, end), id: place.slice(end + 1) }
}

export const MeetingId = Type.String({
  pattern: vendorIdPattern,
  maxLength: 64,
  description: 'Id of a meeting',
  examples: ['7f0d3c52-1a54-4f5e-9c0e-3b6a5d6b7a01']
})

export const LivestreamId = Type.String({
  pattern: vendorIdPattern,
  maxLength: 64,
  description: 'Id of a livestream',
  examples: ['2b7f6c1e-88a1-4c8f-9a3d-0e5b1c2d3f04']
})
