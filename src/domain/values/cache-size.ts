/**
 * Options of an LRU cache that keeps so many entries. By size it takes memory as they come; by the library's `max` it would take all
 * of it at the start, a megabyte for each cache.
 */
export function upTo(entries: number): { maxSize: number; sizeCalculation: () => number } {
  return { maxSize: entries, sizeCalculation: Number.bind(null, 1) }
}
