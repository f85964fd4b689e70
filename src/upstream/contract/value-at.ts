/** Reads a value in an answer by the names that lead to it, however the answer is made; undefined when nothing stands there. */
export function at(body: unknown, ...names: string[]): unknown {
  return names.reduce<unknown>(
    (value, name) =>
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined,
    body
  )
}
