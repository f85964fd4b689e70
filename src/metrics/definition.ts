/** Seconds up to which a histogram counts: from a millisecond to ten seconds. */
export const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

/** A metric, before anything is counted. docs/metrics.md is made of it. */
export interface Definition {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  /** A sentence for people, without its full stop. */
  readonly about: string
  readonly labels: readonly string[]
  /** Values of the one label that are shown from the start, as 0. */
  readonly values: readonly string[]
  /** Most sets of label values. Those that come later are counted together, with `other` for each label. */
  readonly most: number
}

interface Labels {
  labels?: readonly string[]
  most?: number
}

/** A label whose values are known, as most are. */
interface KnownLabel {
  label: string
  values: readonly string[]
}

type Kind<K> = Definition & { readonly kind: K }

export function counter(about: string, labels: Labels | KnownLabel = {}): Kind<'counter'> {
  return { kind: 'counter', about, ...setsOf(labels) }
}

export function gauge(about: string, labels: Labels | KnownLabel = {}): Kind<'gauge'> {
  return { kind: 'gauge', about, ...setsOf(labels) }
}

/** Seconds, in buckets. It has one label at most, since each of its values costs sixteen series. */
export function histogram(
  about: string,
  labels: { labels?: readonly [string]; most?: number } | KnownLabel = {}
): Kind<'histogram'> {
  return { kind: 'histogram', about, ...setsOf(labels) }
}

/** One set where there is no label, and one more than the known values: `other`. */
function setsOf(labels: Labels | KnownLabel): Pick<Definition, 'labels' | 'values' | 'most'> {
  if ('values' in labels) return { labels: [labels.label], values: labels.values, most: labels.values.length + 1 }
  return { labels: labels.labels ?? [], values: [], most: labels.most ?? 1 }
}
