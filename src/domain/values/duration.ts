const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Reads `10s`, `30m`, `12h` or `90d`, in milliseconds; null when it is none of them. */
export function parseDuration(text: string): number | null {
  const [, count, unit] = /^([1-9]\d{0,6})([smhd])$/.exec(text) ?? []
  return unit === undefined ? null : Number(count) * unitMs[unit as keyof typeof unitMs]
}

/** Writes it in the largest unit that has no rest: `90m`, and `2h` for 120 minutes. */
export function formatDuration(ms: number): string {
  const units = Object.entries(unitMs).reverse()
  const [unit, size] = units.find(([, size]) => ms % size === 0) ?? ['s', unitMs.s]
  return `${Math.round(ms / size)}${unit}`
}
