/**
 * The latest moment at which something that is due after `dueMs` can be expected on this machine. What the machine itself needs is
 * not known beforehand: it is seen in a calm call of the same run, and a busy neighbour may come in between.
 */
export function latestMs(dueMs: number, calmMs: number): number {
  return Math.round(dueMs + 2_000 + 20 * calmMs)
}
