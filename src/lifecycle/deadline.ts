/**
 * A signal for the vendor calls of one mutation: it ends them after `LIVEGATE_DEADLINE_MS`, or when the gateway has no more
 * time to end gracefully.
 */
export type Deadline = () => AbortSignal

/**
 * The same for a question to the vendor, which also ends when nobody waits for its answer any more: then whoever asks for it
 * aborts `asked`. Nothing of it is left when the work is done, since there are thousands a second.
 */
export type Bounded = <T>(asked: AbortController, work: (signal: AbortSignal) => Promise<T>) => Promise<T>

export function deadlines(deadlineMs: number, ending: AbortSignal): { deadline: Deadline; bounded: Bounded } {
  const underWay = new Set<AbortController>()
  ending.addEventListener('abort', () => {
    for (const asked of underWay) asked.abort(ending.reason)
  })
  const late = (asked: AbortController): void =>
    asked.abort(new DOMException('the deadline of the request has come', 'TimeoutError'))

  return {
    deadline: () => AbortSignal.any([AbortSignal.timeout(deadlineMs), ending]),

    async bounded(asked, work) {
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
