import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../domain/clock.ts'
import {
  Failure,
  UpstreamFailed,
  UpstreamMalformed,
  UpstreamThrottled,
  UpstreamTooLate,
  UpstreamUnreachable,
  withOutcome
} from '../domain/failures.ts'
import type { Quota } from '../domain/quota.ts'
import { Secret } from '../domain/secret.ts'
import { Breaker } from './breaker.ts'
import { type Ticket, UpstreamBudget } from './budget.ts'
import { type Answer, type Call, UpstreamClient } from './client.ts'
import { dyte } from './dyte.ts'
import type { Errand, Upstream } from './provider.ts'
import type { Spent } from './quota-use.ts'
import { RetryBudget } from './retry-budget.ts'

export interface UpstreamOptions {
  baseUrl: URL
  orgId: string
  apiKey: Secret
  /** The vendor's quota. */
  quota: Quota
  /** Longest time of a call; who would have to wait longer for the quota is refused at once. */
  deadlineMs: number
  clock: Clock
  spentBefore?: readonly Spent[]
  /** Hears of each call that is about to be sent. */
  onSent?(): void
  /** Extra trusted certificate authorities in PEM; for tests against an own one. */
  ca?: string
}

/** A read that failed is sent again after a random part of this. */
const retryPauseMs = 100
/** Who waits for the quota asks again so often. */
const askAgainMs = 50
/** Stops that hang must not hold back the others; there is one at a time for each meeting. */
const stopConnections = 1_024
/** Of its deadline; a start has two calls, and what it sends needs time too. */
const waitShare = 1 / 3

/**
 * A vendor account. Every call passes the breaker, then the budget, and goes out over the connections of its kind, so that
 * nothing that hangs can hold back what is more urgent.
 */
export function openUpstream({
  deadlineMs,
  clock,
  quota,
  spentBefore = [],
  onSent,
  ...account
}: UpstreamOptions): Upstream {
  const budget = new UpstreamBudget({ quota, deadlineMs, clock, spentBefore, ...(onSent && { onSent }) })
  const breaker = new Breaker({ clock })
  const retries = new RetryBudget(clock)
  const { baseUrl, orgId, apiKey, ca } = account
  const authorization = new Secret(`Basic ${Buffer.from(`${orgId}:${apiKey.reveal()}`).toString('base64')}`)
  const options = { baseUrl, authorization, ...(ca !== undefined && { ca }), onLimit: budget.tell.bind(budget) }
  const clients = {
    reads: new UpstreamClient(options),
    /** What a start, or a stop, has to look at. */
    looks: new UpstreamClient(options),
    stopLooks: new UpstreamClient(options),
    mutations: new UpstreamClient({ ...options, keepAlive: false }),
    stops: new UpstreamClient({ ...options, keepAlive: false, connections: stopConnections })
  }

  function clientFor({ lane }: Errand, { method }: Call): UpstreamClient {
    if (lane === 'read') return clients.reads
    if (lane === 'stop') return method === 'GET' ? clients.stopLooks : clients.stops
    return method === 'GET' ? clients.looks : clients.mutations
  }

  async function send(errand: Errand, call: Call, expected?: readonly number[]): Promise<Answer> {
    const isRead = call.method === 'GET'
    if (isRead) retries.countRead()
    for (let again = false; ; ) {
      try {
        return await once(errand, call, expected)
      } catch (error) {
        const isStop = errand.lane === 'stop' && error instanceof UpstreamThrottled
        if (isStop) await pause((error.retryAfterSeconds ?? 1) * 1_000, call, error)
        else if (isRead && !again && isWorthARetry(error, call) && !breaker.isOpen && retries.takeRetry()) {
          again = true
          await pause(Math.random() * retryPauseMs, call, error)
        } else throw error
      }
    }
  }

  async function once(errand: Errand, call: Call, expected: readonly number[] | undefined): Promise<Answer> {
    const { ticket, probing } = await letIn(errand, call)
    const isInPause = budget.pausedForMs() > 0
    try {
      const answer = await clientFor(errand, call).call(call, expected)
      ticket.answered()
      breaker.succeeded()
      if (isInPause) budget.heard()
      return answer
    } catch (error) {
      count(error, errand, call, ticket, probing)
      throw error
    }
  }

  function count(error: unknown, { tenantId }: Errand, { signal }: Call, ticket: Ticket, probing: boolean): void {
    const answered = error instanceof Failure && error.upstreamStatus !== undefined
    if (answered) ticket.answered()
    else ticket.lost()
    if (error instanceof UpstreamThrottled) budget.throttled((error.retryAfterSeconds ?? 1) * 1_000)
    if (isFailing(error, signal)) breaker.failed(tenantId, probing)
    else if (answered) breaker.succeeded()
  }

  /** Whatever does not get past breaker and budget was not sent. */
  async function letIn(errand: Errand, call: Call): Promise<{ ticket: Ticket; probing: boolean }> {
    const { tenantId, lane } = errand
    try {
      if (lane === 'stop') return { ticket: budget.admit(errand), probing: false }
      // Looked at before and taken after: who is refused, or waits, must not use up the probe.
      breaker.check(tenantId)
      const ticket = await admitted(errand, call)
      try {
        return { ticket, probing: breaker.enter(tenantId) }
      } catch (error) {
        ticket.answered()
        throw error
      }
    } catch (error) {
      throw error instanceof Failure && call.method !== 'GET' ? withOutcome(error, 'not_sent') : error
    }
  }

  /** A read is refused at once; a mutation may wait for its turn while that is in time. */
  async function admitted(errand: Errand, call: Call): Promise<Ticket> {
    if (errand.lane === 'read') return budget.admit(errand)
    // What goes out when its time is almost over ends as unknown, and counts as a failure of the vendor.
    let signal: AbortSignal | undefined
    for (;;) {
      try {
        return budget.admit(errand)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        signal ??= AbortSignal.any([call.signal, AbortSignal.timeout(Math.floor(deadlineMs * waitShare))])
        await pause((error.retryAfterSeconds ?? 1) * 1_000, { signal }, error, askAgainMs)
      }
    }
  }

  /** Waits for so long, or at most `atMostMs` of it. @throws the error when that is later than the call may end */
  async function pause(
    waitMs: number,
    { signal }: Pick<Call, 'signal'>,
    error: unknown,
    atMostMs = waitMs
  ): Promise<void> {
    if (waitMs > deadlineMs || signal.aborted) throw error
    await sleep(Math.min(waitMs, atMostMs), undefined, { signal }).catch(() => {
      throw error
    })
  }

  return {
    on: errand => dyte((call, expected) => send(errand, call, expected)),
    status: () => ({ budget: budget.status(), breaker: breaker.isOpen ? 'open' : 'closed' }),
    tenants: () => budget.tenants(),
    spent: () => budget.spent(),
    async close() {
      await Promise.all(Object.values(clients).map(client => client.close()))
    }
  }
}

/** The vendor is in trouble. Who hung up, and what the vendor refuses, say nothing of that; nor does its 408. */
function isFailing(error: unknown, signal: AbortSignal): boolean {
  if (error instanceof UpstreamTooLate) return signal.reason instanceof Error && signal.reason.name === 'TimeoutError'
  if (error instanceof UpstreamFailed) return error.upstreamStatus !== 408
  return error instanceof UpstreamUnreachable || (error instanceof UpstreamMalformed && !isRedirect(error))
}

function isRedirect({ upstreamStatus }: Failure): boolean {
  return upstreamStatus !== undefined
}

function isWorthARetry(error: unknown, { signal }: Call): boolean {
  return !signal.aborted && (error instanceof UpstreamFailed || error instanceof UpstreamUnreachable)
}
