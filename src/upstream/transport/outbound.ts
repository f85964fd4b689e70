import { setTimeout as sleep } from 'node:timers/promises'
import type { Observer } from '../../domain/observer.ts'
import {
  Failure,
  UpstreamFailed,
  UpstreamMalformed,
  UpstreamThrottled,
  UpstreamTooLate,
  UpstreamUnavailable,
  UpstreamUnreachable,
  withOutcome
} from '../../domain/refusals/failures.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { inSpan, type Span } from '../../tracing/trace.ts'
import type { UpstreamBudget } from '../quota/budget.ts'
import { type Errand, FairShare, type Ticket } from '../quota/quota-use.ts'
import type { Breaker } from '../quota/restraint.ts'
import type { Call, VendorAnswer, VendorCall } from './call.ts'
import { type ClientOptions, UpstreamClient } from './client.ts'

export interface OutboundOptions {
  budget: UpstreamBudget
  breaker: Breaker
  connecting: Pick<ClientOptions, 'baseUrl' | 'proxy' | 'ca' | 'refusals' | 'onDate'>
  deadlineMs: number
  clock: Pick<Clock, 'monotonic'>
  /** Hears of the calls of this upstream. */
  observed?: { upstream: string; observer: Pick<Observer, 'vendorCall' | 'heldBack'> } | undefined
  /** Reads of all tenants that may be under way together. */
  readsAtOnce?: number
  /** Null when another call is on record as sent; else what ends when it may be. */
  untilReserved?(): Promise<void> | null
}

type Asked = Call & Pick<VendorCall, 'mayFail'>

/** Time after which a call that waits for the quota asks again. */
const askAgainMs = 50
/** Most connections of a kind: one tenant's calls that hang must not hold back the others'. A meeting has one start or stop at a time. */
const connections = 1_024
/** Reads of an account at once. Each has a connection, and so a file descriptor (`http/connection/open-files.ts`). */
const mostReads = 256
/** Reads under way are divided among tenants that have asked within `activeMs`. A refused one has a claim on the next for `claimMs`. */
const readShares = { activeMs: 30_000, claimMs: 5_000 }
/** Share of its deadline that a mutation may wait. A start has two calls, and needs time for what it sends. */
const waitShare = 1 / 3
const statusFact = 'http.response.status_code'

/**
 * The way out to a vendor account. Every call passes the breaker, then the budget, and goes out over the connections of its kind:
 * calls that hang can't hold back more urgent ones.
 */
export class Outbound {
  readonly #options: OutboundOptions
  readonly #reads = new FairShare(readShares)
  readonly #clients: Record<'reads' | 'looks' | 'stopLooks' | 'mutations' | 'stops', UpstreamClient>

  constructor(options: OutboundOptions) {
    this.#options = options
    const connecting = { ...options.connecting, onLimit: options.budget.tell.bind(options.budget) }
    this.#clients = {
      reads: new UpstreamClient({ ...connecting, connections: mostReads }),
      /** Reads that a start, or a stop, needs. */
      looks: new UpstreamClient({ ...connecting, connections }),
      stopLooks: new UpstreamClient({ ...connecting, connections }),
      mutations: new UpstreamClient({ ...connecting, keepAlive: false, connections }),
      stops: new UpstreamClient({ ...connecting, keepAlive: false, connections })
    }
  }

  /** Sends a call once, if it may go out. */
  async pass(errand: Errand, call: Asked, expected?: readonly number[]): Promise<VendorAnswer> {
    if (errand.priority !== 'read' || errand.isBackground) return this.#send(errand, call, expected)
    const { tenantId } = errand
    this.#takeShare(errand)
    try {
      return await this.#send(errand, call, expected)
    } finally {
      this.#reads.release(tenantId)
    }
  }

  /** Takes a share, so that no read waits behind those that hang. @throws UpstreamUnavailable when the tenant has its share */
  #takeShare({ tenantId, priority }: Errand): void {
    const { clock, readsAtOnce = mostReads } = this.#options
    const nowMs = clock.monotonic()
    if (!this.#reads.mayTake(tenantId, readsAtOnce - this.#reads.used, readsAtOnce, nowMs)) {
      const message = 'Too many reads wait for the livestream provider'
      throw this.#heldBack(priority, new UpstreamUnavailable({ retryAfterSeconds: 1, message }))
    }
    this.#reads.take(tenantId, nowMs)
  }

  async #send(errand: Errand, call: Asked, expected?: readonly number[]): Promise<VendorAnswer> {
    const { budget, breaker } = this.#options
    const { ticket, isTrial } = await this.#letIn(errand, call)
    errand.onSent?.()
    const sentAtMs = performance.now()
    const isInPause = budget.pausedForMs() > 0
    try {
      const answer = await this.#call(errand, call, expected)
      ticket.answered()
      breaker.succeeded()
      if (isInPause) budget.heard()
      this.#tell(errand, sentAtMs, answer.status)
      return answer
    } catch (error) {
      this.#tell(errand, sentAtMs, error instanceof Failure ? error.upstreamStatus : undefined)
      this.#count(error, errand, call, ticket, isTrial)
      throw error
    }
  }

  /** The call itself, as a span that tells nothing of its body, its credential and its query. */
  #call(errand: Errand, call: Asked, expected?: readonly number[]): Promise<VendorAnswer> {
    const facts = {
      'http.request.method': call.method,
      'url.path': call.path.replace(/\?.*$/s, ''),
      'server.address': this.#options.connecting.baseUrl.hostname,
      'livegate.priority': errand.priority
    }
    const ask = async (span: Span | null): Promise<VendorAnswer> => {
      try {
        const answer = await this.#clientFor(errand, call).call(call, expected)
        span?.set({ [statusFact]: answer.status })
        return answer
      } catch (error) {
        if (error instanceof Failure) span?.set({ [statusFact]: error.upstreamStatus })
        throw error
      }
    }
    return inSpan('vendor call', facts, ask, { kind: 'vendor' })
  }

  /** Waits for so long, or at most `atMostMs` of it. @throws the error when that is later than the call may end */
  async pause(waitMs: number, { signal }: Pick<Call, 'signal'>, error: unknown, atMostMs = waitMs): Promise<void> {
    if (waitMs > this.#options.deadlineMs || signal.aborted) throw error
    await sleep(Math.min(waitMs, atMostMs), undefined, { signal }).catch(() => {
      throw error
    })
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#clients).map(client => client.close()))
  }

  #tell({ priority }: Errand, sentAtMs: number, status: number | undefined): void {
    const { observed } = this.#options
    const seen = { priority, status: status ?? null, durationMs: performance.now() - sentAtMs }
    observed?.observer.vendorCall({ upstream: observed.upstream, ...seen })
  }

  #heldBack<E>(priority: Errand['priority'], error: E): E {
    const { observed } = this.#options
    const reason = error instanceof Failure ? error.type : 'internal'
    observed?.observer.heldBack(observed.upstream, priority, reason)
    return error
  }

  #clientFor({ priority, isBackground }: Errand, { method }: VendorCall): UpstreamClient {
    const { reads, looks, stopLooks, mutations, stops } = this.#clients
    // Reads in the background are few at once, and take no connection of those that somebody waits for.
    if (priority === 'read') return isBackground ? looks : reads
    if (priority === 'stop') return method === 'GET' ? stopLooks : stops
    return method === 'GET' ? looks : mutations
  }

  #count(
    error: unknown,
    { tenantId, isBackground }: Errand,
    { signal, mayFail }: Asked,
    ticket: Ticket,
    isTrial: boolean
  ): void {
    const { budget, breaker } = this.#options
    const answered = error instanceof Failure && error.upstreamStatus !== undefined
    if (answered) ticket.answered()
    else ticket.lost()
    if (error instanceof UpstreamThrottled) budget.throttled((error.retryAfterSeconds ?? 1) * 1_000)
    if (mayFail && isOwnTrouble(error)) {
      // The call that is sent instead tells whether the vendor is well: it is the trial.
      breaker.passOn(tenantId, isTrial)
      return
    }
    if (isFailing(error, signal)) {
      // Callers find out for themselves: a list that fails need not fail for anybody.
      if (!isBackground) breaker.failed(tenantId, isTrial)
    } else if (answered) breaker.succeeded()
  }

  /** A call that does not get past breaker and budget was not sent. */
  async #letIn(errand: Errand, call: Call): Promise<{ ticket: Ticket; isTrial: boolean }> {
    const { budget, breaker } = this.#options
    const { tenantId, priority, isBackground } = errand
    try {
      if (priority === 'stop') return { ticket: budget.admit(errand), isTrial: false }
      // Check the breaker first, but claim its trial only after quota was granted: a refused call does not waste it.
      if (isBackground && breaker.isOpen) throw new UpstreamUnavailable({ retryAfterSeconds: 1 })
      breaker.check(tenantId)
      const ticket = await inSpan('quota wait', { 'livegate.priority': priority }, () => this.#admitted(errand, call))
      try {
        return { ticket, isTrial: breaker.enter(tenantId) }
      } catch (error) {
        ticket.answered()
        throw error
      }
    } catch (error) {
      this.#heldBack(priority, error)
      throw error instanceof Failure && call.method !== 'GET' ? withOutcome(error, 'not_sent') : error
    }
  }

  /** A read is refused at once, or as soon as no more of the quota is to be had; a mutation may wait for its turn while that is in time. */
  async #admitted(errand: Errand, call: Call): Promise<Ticket> {
    const { budget, deadlineMs, untilReserved = () => null } = this.#options
    // A call that goes out when its time is almost over ends as unknown, and counts as a failure of the vendor.
    let signal: AbortSignal | undefined
    let hasAsked = false
    for (;;) {
      // Nothing happens between the last look and the call: what one takes, no other may take as well.
      for (let wait = untilReserved(); wait !== null; wait = untilReserved()) await wait
      if (call.signal.aborted) throw new UpstreamTooLate()
      try {
        return budget.admit(errand)
      } catch (error) {
        const more = hasAsked ? null : budget.untilMore()
        if (!(error instanceof Failure) || (more === null && errand.priority === 'read')) throw error
        hasAsked = true
        signal ??= AbortSignal.any([call.signal, AbortSignal.timeout(Math.floor(deadlineMs * waitShare))])
        await (more ?? this.pause((error.retryAfterSeconds ?? 1) * 1_000, { signal }, error, askAgainMs))
      }
    }
  }
}

/** Whether the vendor is in trouble. A caller that hung up, a refusal and a 408 say nothing of that. */
function isFailing(error: unknown, signal: AbortSignal): boolean {
  if (error instanceof UpstreamTooLate) return signal.reason instanceof Error && signal.reason.name === 'TimeoutError'
  if (error instanceof UpstreamFailed) return isOwnTrouble(error)
  // A redirect is well-formed, and has a status.
  if (error instanceof UpstreamMalformed) return error.upstreamStatus === undefined
  return error instanceof UpstreamUnreachable
}

/** Whether the vendor has answered, and says that it has failed. */
export function isOwnTrouble(error: unknown): boolean {
  return error instanceof UpstreamFailed && error.upstreamStatus !== 408
}
