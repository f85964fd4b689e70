import { LRUCache } from 'lru-cache'
import { fromPlace, likelySpelling } from '../domain/id.ts'
import type { Observer } from '../domain/observer.ts'
import { UpstreamUnavailable } from '../domain/refusals/failures.ts'
import type { Replicas } from '../domain/replicas.ts'
import type { SharedChanges } from '../domain/shared-changes.ts'
import { upTo } from '../domain/values/cache-size.ts'
import { type Clock, systemClock } from '../domain/values/clock.ts'
import { sentOnlyWhile } from '../domain/values/sending.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { Errand, Priority, Provider, Upstream, Upstreams } from '../upstream/provider.ts'

/** The surroundings of whatever serves a request: time, log, how long a call may take, and how old an answer may be. */
export interface Context extends Deadlines {
  clock: Clock
  log: Record<'info' | 'warn' | 'error', (facts: object, message: string) => void>
  /** Tells shared reads that what they remember is out of date. */
  changes: Changes
  readTtlMs: number
  /** The gateways that serve the store together. */
  replicas: Replicas
  /** Absent where there are no metrics. */
  observer?: Observer | undefined
  tracing: Pick<Tracing, 'behind'>
}

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

export function deadlines(
  deadlineMs: number,
  ending: AbortSignal,
  { monotonic }: Pick<Clock, 'monotonic'> = systemClock
): Deadlines {
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
      signal: inTime(asked.signal),
      [Symbol.dispose]() {
        clearTimeout(timer)
        underWay.delete(asked)
      }
    }
  }

  /** Timers are late after the process stood still: what they bound is not sent then. */
  function inTime(signal: AbortSignal): AbortSignal {
    const endsAtMs = monotonic() + deadlineMs
    return sentOnlyWhile(signal, () => monotonic() < endsAtMs)
  }

  return {
    deadline: () => inTime(AbortSignal.any([AbortSignal.timeout(deadlineMs), ending])),
    limitTime,

    async bounded(work, asked) {
      using limit = limitTime(asked)
      return await work(limit.signal)
    }
  }
}

/** A healthy disk needs a few of them. A caller that only reads hardly notices a slow one. */
const brieflyMs = 50

/** Waits for the work, but not for long: longer work goes on behind the answer. Rejects when it fails before. */
export async function waitBriefly(work: Promise<unknown>, withinMs = brieflyMs): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const enough = new Promise<void>(resolve => {
    timer = setTimeout(resolve, withinMs)
  })
  try {
    await Promise.race([work, enough])
  } finally {
    clearTimeout(timer)
  }
}

/** The vendor account that a tenant's meeting or livestream is at. @throws UpstreamUnavailable when the configuration has no such upstream */
export function upstreamOf(upstreams: Upstreams, { upstream }: { upstream: string }, priority: Priority): Upstream {
  const known = upstreams.get(upstream)
  if (known !== undefined) return known
  const cause = new Error(`no upstream is called ${upstream}`)
  const message =
    'The livestream provider that this belongs to is not configured: the operator of the gateway must look'
  throw new UpstreamUnavailable({ cause, message, ...(priority !== 'read' && { outcome: 'not_sent' }) })
}

/** The provider at the vendor account of a meeting or livestream, asked on behalf of its tenant. @throws UpstreamUnavailable */
export function providerOf(
  upstreams: Upstreams,
  owner: { upstream: string; tenantId: string },
  priority: Priority,
  onSent?: Errand['onSent']
): Provider {
  return upstreamOf(upstreams, owner, priority).on({ tenantId: owner.tenantId, priority, onSent })
}

/** The clock of the vendor of an upstream now, in epoch ms; null where nothing tells. It is not before `earliest`, and not after `latest`. */
export type VendorNowMs = (upstream: string, bound: 'earliest' | 'latest') => number | null

export function vendorClocks(upstreams: Upstreams): VendorNowMs {
  return (upstream, bound) => upstreams.get(upstream)?.vendorNowMs(bound) ?? null
}

/**
 * Counts the changes that Livegate itself has made: an answer that was asked for before one must not be shown after it. One
 * count for all kinds of reads, since a stop outdates the meeting's active livestream and the livestream alike.
 */
export class Changes {
  readonly #shared: SharedChanges | null
  #last = 0
  // More than any cache of answers has entries, so that a change is not forgotten before what it outdates.
  readonly #bySubject = new LRUCache<string, number>(upTo(100_000))

  /** @param shared where other replicas tell of theirs: they name a meeting by its id alone */
  constructor(shared: SharedChanges | null = null) {
    this.#shared = shared
    shared?.onChange(id => this.#note(id))
  }

  /** From now on answers of before are outdated. */
  note(subject: string): void {
    this.#note(subject)
    this.#shared?.outdate(idIn(subject))
  }

  of(subject: string): number {
    const own = this.#bySubject.get(subject) ?? 0
    return this.#shared === null ? own : Math.max(own, this.#bySubject.get(idIn(subject)) ?? 0)
  }

  /** Asks whether another replica has changed it. Null when there is none, or none can be asked. */
  hear(subject: string): Promise<void> | null {
    return this.#shared?.hear(idIn(subject)) ?? null
  }

  /** Waits, but not for long, until other replicas are told of its changes. */
  async told(subject: string): Promise<void> {
    await this.#shared?.told(idIn(subject))
  }

  /** Whether other replicas may change something, and nobody would hear of it. */
  get isBlind(): boolean {
    return this.#shared?.isAway() ?? false
  }

  /** How many there were. */
  get count(): number {
    return this.#last
  }

  #note(key: string): void {
    this.#last += 1
    this.#bySubject.set(key, this.#last)
  }
}

/** The id in a key of `placeOf`, as replicas spell it among themselves. It has no slash, and every subject has one. */
function idIn(subject: string): string {
  return likelySpelling(fromPlace(subject).id)
}
