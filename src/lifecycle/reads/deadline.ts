/**
 * A signal for the vendor calls of one request: it ends them after `LIVEGATE_DEADLINE_MS`, or when the gateway has no more
 * time to end gracefully.
 */
export type Deadline = () => AbortSignal

/**
 * The same for what there are thousands of a second: nothing of it is left when the work is done. Whoever hands in a controller
 * may end the work by it as well, as when nobody waits for the answer any more.
 */
export type Bounded = <T>(work: (signal: AbortSignal) => Promise<T>, asked?: AbortController) => Promise<T>

export function deadlines(deadlineMs: number, ending: AbortSignal): { deadline: Deadline; bounded: Bounded } {
  const underWay = new Set<AbortController>()
  ending.addEventListener('abort', () => {
    for (const asked of underWay) asked.abort(ending.reason)
  })
  const late = (asked: AbortController): void =>
    asked.abort(new DOMException('the deadline of the request has come', 'TimeoutError'))

  return {
    deadline: () => AbortSignal.any([AbortSignal.timeout(deadlineMs), ending]),

    async bounded(work, asked = new AbortController()) {
      if (ending.aborted) asked.abort(ending.reason)
      const timer = setTimeout(late, deadlineMs, asked)
      underWay.add(asked)
      try {
        return await work(asked.signal)
      } finally {
        clearTimeout(timer)
        underWay.delete(asked)
      }
    }
  }
}
