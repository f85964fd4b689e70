/**
 * A signal for the vendor calls of one request: it ends them after `LIVEGATE_DEADLINE_MS`, or when the gateway has no more
 * time to end gracefully.
 */
export type Deadline = () => AbortSignal

/**
 * Bounds work of which there are thousands a second: nothing is left of the bound when the work is done. A controller that is
 * handed in may end the work as well, as when no reader waits for the answer any more.
 */
export type Bounded = <T>(work: (signal: AbortSignal) => Promise<T>, asked?: AbortController) => Promise<T>

/** Bounds a block of straight text, in a `using` declaration: the bound ends with the block. */
export type LimitTime = (asked?: AbortController) => Disposable & { readonly signal: AbortSignal }

export interface Deadlines {
  deadline: Deadline
  bounded: Bounded
  limitTime: LimitTime
}

export function deadlines(deadlineMs: number, ending: AbortSignal): Deadlines {
  const underWay = new Set<AbortController>()
  ending.addEventListener('abort', () => {
    for (const asked of underWay) asked.abort(ending.reason)
  })
  const late = (asked: AbortController): void =>
    asked.abort(new DOMException('the deadline of the request has come', 'TimeoutError'))

  function limitTime(asked = new AbortController()): ReturnType<LimitTime> {
    if (ending.aborted) asked.abort(ending.reason)
    const timer = setTimeout(late, deadlineMs, asked)
    underWay.add(asked)
    return {
      signal: asked.signal,
      [Symbol.dispose]() {
        clearTimeout(timer)
        underWay.delete(asked)
      }
    }
  }

  return {
    deadline: () => AbortSignal.any([AbortSignal.timeout(deadlineMs), ending]),
    limitTime,

    async bounded(work, asked) {
      using limit = limitTime(asked)
      return await work(limit.signal)
    }
  }
}
