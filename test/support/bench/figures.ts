/** The value below which so many of a hundred are. */
export function percentile(values: number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
}

/** One line: what was measured, and whether it reaches the bar. */
export function report(what: string, value: string, bar?: { reached: boolean; is: string }): void {
  const verdict = bar === undefined ? '' : `   bar: ${bar.is}${bar.reached ? '' : '   MISSED'}`
  console.log(`${what.padEnd(64)} ${value.padStart(12)}${verdict}`)
}

export const perSecond = (count: number, ms: number): number => Math.round(count / (ms / 1_000))
export const grouped = (value: number): string => Math.round(value).toLocaleString('en')
export const milliseconds = (value: number): string => `${value.toFixed(2)} ms`

/** Does the work again and again, so many at once, until the time is over. Gives how long each took. */
export async function loop(atOnce: number, forMs: number, work: (i: number) => Promise<unknown>): Promise<number[]> {
  const took: number[] = []
  const endAtMs = performance.now() + forMs
  let next = 0
  const one = async (): Promise<void> => {
    while (performance.now() < endAtMs) {
      const startedAtMs = performance.now()
      await work(next++)
      took.push(performance.now() - startedAtMs)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  return took
}
