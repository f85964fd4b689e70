/**
 * Builds an upstream path: path`/meetings/${id}/livestreams`.
 * Each value becomes exactly one segment, so an id can neither climb, nor add a segment, nor begin a query.
 * @throws TypeError for a value that would vanish or climb: `''`, `'.'`, `'..'` (encodeURIComponent leaves dots alone)
 */
export function path(text: TemplateStringsArray, ...segments: string[]): string {
  return text.reduce((built, part, i) => {
    const segment = segments[i - 1] ?? ''
    if (/^\.{0,2}$/.test(segment)) throw new TypeError(`unsafe path segment ${JSON.stringify(segment)}`)
    return built + encodeURIComponent(segment) + part
  })
}
