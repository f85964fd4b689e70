/** Series of a text in Prometheus' format, by name and labels as they stand there: `livegate_stops_total{result="stopped"}`. */
export type Shown = ReadonlyMap<string, number>

export function seriesIn(text: string): Shown {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map(line => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    })
  )
}

/** The sum of a metric's series, or of those whose labels match. */
export function sumOf(shown: Shown, metric: string, labels = /^/): number {
  let sum = 0
  for (const [series, value] of shown) {
    const [name, rest = ''] = series.split('{')
    if (name === metric && labels.test(rest)) sum += value
  }
  return sum
}
