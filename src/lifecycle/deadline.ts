/**
 * A signal for the vendor calls of one request: it ends them after `LIVEGATE_DEADLINE_MS`, when their caller hangs up (for a
 * read, which hands in its own signal), or when the gateway has no more time to end gracefully.
 */
export type Deadline = (caller?: AbortSignal) => AbortSignal

export function deadlines(deadlineMs: number, ending: AbortSignal): Deadline {
  return caller => {
    const signals = [AbortSignal.timeout(deadlineMs), ending]
    return AbortSignal.any(caller === undefined ? signals : [...signals, caller])
  }
}
