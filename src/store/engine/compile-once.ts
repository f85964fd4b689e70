import type { CompiledQuery } from 'kysely'

/** Stands in a compiled query for a value that comes with each call. */
class StandIn {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/**
 * A query that is compiled once, since that costs more than running it. `build` is given stand-ins: it may put them wherever a
 * value can stand, and must not look at them. Only null, undefined and booleans it sees as they are, since they decide what
 * the query looks like: it is compiled once for each combination of them.
 */
export function compileOnce<Values extends object, Result>(
  build: (values: Values) => { compile(): CompiledQuery<Result> }
): (values: Values) => CompiledQuery<Result> {
  const compiled = new Map<string, CompiledQuery<Result>>()

  return values => {
    const given = values as Record<string, unknown>
    const shape = shapeOf(given)
    let query = compiled.get(shape)
    if (query === undefined) {
      const shown = Object.entries(given).map(([name, value]) => [name, isShown(value) ? value : new StandIn(name)])
      query = build(Object.fromEntries(shown) as Values).compile()
      compiled.set(shape, query)
    }
    return { ...query, parameters: query.parameters.map(one => (one instanceof StandIn ? given[one.name] : one)) }
  }
}

function shapeOf(values: Record<string, unknown>): string {
  let shape = ''
  for (const name in values) shape += isShown(values[name]) ? `${name}=${values[name]} ` : `${name} `
  return shape
}

function isShown(value: unknown): boolean {
  return value == null || typeof value === 'boolean'
}
