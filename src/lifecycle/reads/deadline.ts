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

/** The same for work that is written as one text: it ends when its block does. */
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
