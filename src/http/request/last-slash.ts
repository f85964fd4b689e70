/** Paths of operations; pages of the documentation have their own addresses. */
const operations = /^(?:https?:\/\/[^/?#]*)?\/(?:v2|gateway)\/./

/**
 * Many clients end every address with a slash. Exactly one is left out, at the end of the path: `//` and `%2F` are another
 * address. This and the case of a UUID are the two exceptions to "reject, do not normalise", since a stop that is spelt so
 * must stop something.
 */
export function withoutLastSlash(url: string): string {
  const query = url.search(/[?#]/)
  const end = query < 0 ? url.length : query
  if (url[end - 1] !== '/' || url[end - 2] === '/' || !operations.test(url.slice(0, end - 1))) return url
  return url.slice(0, end - 1) + url.slice(end)
}
