/** Choices, each with its values. */
export type Factors = Record<string, readonly unknown[]>
export type Row<F extends Factors> = { -readonly [Name in keyof F]: F[Name][number] }

/**
 * Few rows in which every two values of two factors meet, but for those that `allows` refuses; the same ones each time. Greedy: a row
 * begins with a pair that has not met, and each further factor takes the value that meets most of the others for the first time.
 * @throws Error when a row that is allowed so far cannot be completed
 */
export function pairwise<F extends Factors>(
  factors: F,
  allows: (row: Partial<Row<F>>) => boolean = () => true
): Row<F>[] {
  const names = Object.keys(factors)
  const left = new Map<string, Partial<Row<F>>>()
  for (const [i, one] of names.entries()) {
    for (const other of names.slice(i + 1)) {
      for (const a of factors[one] ?? []) {
        for (const b of factors[other] ?? []) {
          const pair = { [one]: a, [other]: b } as Partial<Row<F>>
          if (allows(pair)) left.set(keyOf(factors, one, a, other, b), pair)
        }
      }
    }
  }
  const rows: Row<F>[] = []
  for (const pair of left.values()) {
    const row = { ...pair }
    for (const name of names.filter(one => !Object.hasOwn(pair, one))) {
      const values = (factors[name] ?? []).filter(value => allows({ ...row, [name]: value }))
      if (values.length === 0) throw new Error(`no ${name} goes with ${JSON.stringify(row)}`)
      const news = (value: unknown): number =>
        Object.entries(row).filter(([met, its]) => left.has(keyOf(factors, met, its, name, value))).length
      const best = values.reduce((a, b) => (news(b) > news(a) ? b : a))
      Object.assign(row, { [name]: best })
    }
    for (const [i, one] of names.entries())
      for (const other of names.slice(i + 1)) left.delete(keyOf(factors, one, row[one], other, row[other]))
    rows.push(row as Row<F>)
  }
  return rows
}

/** A pair's name; the factor that comes first stands first. */
function keyOf(factors: Factors, one: string, a: unknown, other: string, b: unknown): string {
  const names = Object.keys(factors)
  const at = (name: string, value: unknown): string => `${names.indexOf(name)}=${factors[name]?.indexOf(value)}`
  return names.indexOf(one) < names.indexOf(other) ? `${at(one, a)} ${at(other, b)}` : `${at(other, b)} ${at(one, a)}`
}
