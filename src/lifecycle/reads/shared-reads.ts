/** Reads that many share: of any kind, and of the livestream that is active in a meeting. */
import { LRUCache } from 'lru-cache'
import { placeOf } from '../../domain/id.ts'
import type { LivestreamWithKey, OwnedLivestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import type { Observer } from '../../domain/observer.ts'
import { Failure, UpstreamBudgetExhausted, UpstreamThrottled, UpstreamTooLate } from '../../domain/refusals/failures.ts'
import { upTo } from '../../domain/values/cache-size.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { shared } from '../../tracing/trace.ts'
import type { Bounded, Changes } from '../context.ts'
import type { WhatRuns } from '../running/sight.ts'

/** An answer of the vendor, and how it came to whoever asked. */
export interface Seen<T> {
  value: T
  /** How long ago the vendor said so. */
  ageMs: number
  /** How long it still counts as fresh; negative for a stale one. */
  ttlMs: number
  /** `hit`: it was there; `miss`: the vendor was asked; `collapsed`: together with somebody else; `stale`: it couldn't be asked. */
  how: 'hit' | 'miss' | 'collapsed' | 'stale'
  /** Why it is stale: the type of the failure. */
  reason?: string
}

export interface SharedRead<T> {
  /** The key of the answer, the tenant in it: an answer is never shared across tenants. */
  key: string
  /** The meeting that it is about (or the livestream that has none), by `placeOf`: what changes it outdates the answer. */
  subject: string
  /** False: shared by those who ask together, and not kept. */
  isKept?: boolean
  /** Changes of other replicas have been heard of since this was asked. */
  isHeard?: boolean
  /** Asks the vendor; the signal ends it at its deadline, and when nobody waits any more. */
  ask(signal: AbortSignal): Promise<T>
  /** The caller's, who may hang up. Asked for when there is something to wait for: making one costs as much as a look into the cache. */
  signal(): AbortSignal
}

export interface SharedReadsOptions {
  /** An answer is fresh for so long. */
  readTtlMs: number
  changes: Changes
  bounded: Bounded
  clock: Pick<Clock, 'monotonic'>
  observer?: Pick<Observer, 'sharedRead'> | undefined
  maxEntries?: number
}

interface Entry<T> {
  /** The change of the subject at the time when the vendor was asked. */
  change: number
  answer: { value: T; seenAtMs: number } | null
  pending: Pending<T> | null
}

interface Pending<T> {
  change: number
  promise: Promise<T>
  readers: number
  /** A reader has had the answer as its own: the first to ask may have hung up. */
  taken: boolean
  left: AbortController
  /** A reader waits for it that has not asked it. */
  join(): void
}

/** Why a question was given up. One for all, since making one costs more than asking. */
const nobodyWaits = new Error('nobody waits for the answer any more')

/** While the vendor is in trouble the last answer is shown for so long; while it is only not to be asked, for longer. */
const staleMs = { inTrouble: 60_000, notAsked: 300_000 }

/** The subject that a change of the livestream outdates: its meeting, or itself when it has none. */
export function subjectOf({ meetingId, id, upstream }: Pick<OwnedLivestream, 'meetingId' | 'id' | 'upstream'>): string {
  return placeOf({ id: meetingId ?? id, upstream })
}

/**
 * Reads that many ask for and the vendor answers once. Those that come while it is being asked wait for the same answer. Those
 * that come within `ttlMs` get it at once. When the vendor can't be asked, the last answer is shown as stale.
 */
export class SharedReads<T> {
  readonly #ttlMs: number
  readonly #changes: Changes
  readonly #bounded: Bounded
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #observer: SharedReadsOptions['observer']
  readonly #entries: LRUCache<string, Entry<T>>

  constructor({ readTtlMs, changes, bounded, clock, observer, maxEntries = 10_000 }: SharedReadsOptions) {
    this.#ttlMs = readTtlMs
    this.#observer = observer
    this.#changes = changes
    this.#bounded = bounded
    this.#clock = clock
    this.#entries = new LRUCache(upTo(maxEntries))
  }

  /** The fresh answer, if there is one. Never asks the vendor. */
  fresh(key: string, subject: string): Seen<T> | null {
    const entry = this.#entries.get(key)
    if (entry?.answer == null || entry.change !== this.#changes.of(subject)) return null
    const ageMs = this.#clock.monotonic() - entry.answer.seenAtMs
    if (ageMs >= this.#ttlMs) return null
    this.#observer?.sharedRead('hit')
    return { value: entry.answer.value, ageMs, ttlMs: this.#ttlMs - ageMs, how: 'hit' }
  }

  /** @throws what asking throws, when no answer is known that may still be shown; UpstreamTooLate when the caller hangs up */
  async read(question: SharedRead<T>): Promise<Seen<T>> {
    const { key, subject } = question
    const heard = question.isHeard ? null : this.#changes.hear(subject)
    if (heard !== null) await heard
    for (;;) {
      const fresh = this.fresh(key, subject)
      if (fresh !== null) return fresh
      const signal = question.signal()
      const entry = this.#entryOf(key)
      const change = this.#changes.of(subject)
      // A read that comes after a change does not wait for an answer from before it.
      const asked = entry.pending?.change === change ? entry.pending : null
      asked?.join()
      const pending = asked ?? this.#begin(entry, question, change)
      try {
        const value = await this.#wait(entry, pending, signal)
        if (this.#changes.of(subject) !== change) continue
        const how = pending.taken ? 'collapsed' : 'miss'
        pending.taken = true
        this.#observer?.sharedRead(how)
        return { value, ageMs: 0, ttlMs: this.#ttlMs, how }
      } catch (error) {
        if (signal.aborted) throw error
        const stale = this.#stale(entry, subject, error)
        if (stale === null) throw error
        this.#observer?.sharedRead('stale')
        return stale
      }
    }
  }

  /** Keeps what was seen, or done, just now. `change`: as it was when the vendor was asked, if it was; a later change wins. */
  keep(key: string, subject: string, value: T, change = this.#changes.of(subject)): void {
    if (change !== this.#changes.of(subject)) return
    const entry = this.#entryOf(key)
    entry.change = change
    entry.answer = { value, seenAtMs: this.#clock.monotonic() }
  }

  #entryOf(key: string): Entry<T> {
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const entry: Entry<T> = { change: 0, answer: null, pending: null }
    this.#entries.set(key, entry)
    return entry
  }

  #begin(entry: Entry<T>, { key, subject, ask, isKept = true }: SharedRead<T>, change: number): Pending<T> {
    const left = new AbortController()
    const { asked: promise, join } = shared(() => this.#bounded(ask, left))
    const pending: Pending<T> = { change, promise, readers: 0, taken: false, left, join }
    entry.pending = pending
    const ended = (): void => {
      if (entry.pending === pending) entry.pending = null
    }
    pending.promise.then(
      value => {
        ended()
        if (isKept) this.keep(key, subject, value, change)
      },
      ended // those who wait hear of it
    )
    return pending
  }

  /** A reader that hangs up leaves; the last one that does ends the question. */
  async #wait(entry: Entry<T>, pending: Pending<T>, signal: AbortSignal): Promise<T> {
    pending.readers += 1
    const hungUp = Promise.withResolvers<never>()
    const leave = (): void => hungUp.reject(new UpstreamTooLate())
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
    try {
      return await Promise.race([pending.promise, hungUp.promise])
    } finally {
      signal.removeEventListener('abort', leave)
      pending.readers -= 1
      // A new read must not wait for a question that is given up.
      if (pending.readers === 0 && entry.pending === pending) {
        entry.pending = null
        pending.left.abort(nobodyWaits)
      }
    }
  }

  #stale(entry: Entry<T>, subject: string, error: unknown): Seen<T> | null {
    if (!(error instanceof Failure) || error.status < 500) return null
    if (entry.answer === null || entry.change !== this.#changes.of(subject) || this.#changes.isBlind) return null
    const ageMs = this.#clock.monotonic() - entry.answer.seenAtMs
    const notAsked = [UpstreamBudgetExhausted, UpstreamThrottled].some(kind => error instanceof kind)
    if (ageMs > (notAsked ? staleMs.notAsked : staleMs.inTrouble)) return null
    return { value: entry.answer.value, ageMs, ttlMs: this.#ttlMs - ageMs, how: 'stale', reason: error.type }
  }
}

/** The meeting's active livestream, for many who look at it. */
export interface ActiveReads {
  /** As the vendor has shown it within the last `LIVEGATE_READ_TTL_MS`, or longer ago when it can't be asked. A run that was stopped is not shown. */
  read(meeting: OwnedMeeting, signal: () => AbortSignal): Promise<Seen<LivestreamWithKey | null>>
  /** Asks the vendor, whatever is known; what it says is shown to those who read from now on. */
  whatRuns: WhatRuns
  /** Something was sent that may change it, or nobody knows whether it did: no answer from before is shown any more. */
  outdated(meeting: OwnedMeeting): void
  /** A start or a stop has made it so: no answer from before is shown any more. */
  changed(meeting: OwnedMeeting, active: LivestreamWithKey | null): void
}

export function activeReads({ whatRuns, ...sharing }: SharedReadsOptions & { whatRuns: WhatRuns }): ActiveReads {
  const { changes } = sharing
  const reads = new SharedReads<LivestreamWithKey | null>(sharing)
  // No tenant id has a slash.
  const keyOf = (meeting: OwnedMeeting): string => `${meeting.tenantId}/${placeOf(meeting)}`

  return {
    async read(meeting, signal) {
      const [key, subject] = [keyOf(meeting), placeOf(meeting)]
      const ask = async (signal: AbortSignal): Promise<LivestreamWithKey | null> => {
        const { livestream, isEnding } = await whatRuns(meeting, 'read', signal)
        return isEnding ? null : livestream
      }
      return reads.fresh(key, subject) ?? reads.read({ key, subject, ask, signal, isHeard: true })
    },

    async whatRuns(meeting, priority, signal, how) {
      const change = changes.of(placeOf(meeting))
      const sight = await whatRuns(meeting, priority, signal, how)
      reads.keep(keyOf(meeting), placeOf(meeting), sight.isEnding ? null : sight.livestream, change)
      return sight
    },

    outdated: meeting => changes.note(placeOf(meeting)),

    changed(meeting, active) {
      changes.note(placeOf(meeting))
      reads.keep(keyOf(meeting), placeOf(meeting), active)
    }
  }
}
