import type { Observer } from '../../domain/observer.ts'
import type { QuotaShare } from '../../domain/quota-share.ts'
import {
  type Failure,
  UpstreamCredentialsRefused,
  UpstreamFailed,
  UpstreamThrottled,
  UpstreamUnreachable
} from '../../domain/refusals/failures.ts'
import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import { type Clock, inTime } from '../../domain/values/clock.ts'
import type { Secret } from '../../domain/values/secret.ts'
import { CredentialRefused, Forbidden, NoRoute } from '../contract/refusals.ts'
import type { Errand, Upstream } from '../provider.ts'
import { UpstreamBudget } from '../quota/budget.ts'
import type { Spent } from '../quota/quota-use.ts'
import { Breaker, RetryBudget } from '../quota/restraint.ts'
import type { Call, VendorAnswer, VendorCall } from '../transport/call.ts'
import { isOwnTrouble, Outbound } from '../transport/outbound.ts'
import { type HarmlessRead, type Vendors, vendorNamed } from '../vendors/vendor.ts'
import { vendors as allVendors } from '../vendors/vendors.ts'
import { Credentials, Suspicion, type VerifyCredential } from './credentials.ts'
import { Habits, type KeptHabits, VendorClock } from './observed.ts'
import { webhooksOf } from './webhook-key.ts'

export interface UpstreamOptions {
  account: UpstreamAccount
  /** Longest time of a call. One that would have to wait longer for the quota is refused at once. */
  deadlineMs: number
  clock: Clock
  spentBefore?: readonly Spent[]
  /** The vendor has asked an earlier way out to pause for so long. */
  pausedForMs?: number
  /** The vendor's habits that an earlier way out has seen. */
  habitsBefore?: KeptHabits | undefined
  /** The vendor takes another credential from now on: the first or the second. */
  onCredential?(position: number): void
  observer?: Observer | undefined
  /** This process's part of the quota, where replicas divide it. */
  share?: QuotaShare | undefined
  /** Extra trusted certificate authorities in PEM; for tests against an own one. */
  ca?: string
  /** Default: all that Livegate speaks to. */
  vendors?: Vendors | undefined
}

/** A record of the calls that are sent, for the next process. */
export interface CallRecord {
  /** A call is about to be sent. */
  noticed(): void
  /** Null when another call is on record as sent; else what ends when it may be. Stops don't wait for it. */
  untilReserved(): Promise<void> | null
}

/** An account that is open. Its calls are on record from `recordIn` on. */
export interface OpenedUpstream extends Upstream {
  recordIn(record: CallRecord): void
  /** Takes part in what replicas divide, before the first call goes out. */
  begin(): Promise<void>
}

/** A read that failed is sent again after a random part of this. */
const retryPauseMs = 100

/** Calls that no tenant asked for, such as credential checks, are counted under this name. */
const operator: Errand = { tenantId: 'operator', priority: 'mutation' }

/** Opens a vendor account: its way out, what may be sent twice over it, and with which credential. @throws TypeError for an unknown vendor */
export function openUpstream(options: UpstreamOptions): OpenedUpstream {
  const { account, deadlineMs, clock, spentBefore = [], onCredential, observer, share, ca } = options
  const { baseUrl, proxy, quota, dedicatedTo } = account
  const { provider, harmlessRead, refusals, webhooks } = vendorNamed(options.vendors ?? allVendors, account.provider)
  const { method, path } = harmlessRead
  const harmless = { method, path }
  let record: CallRecord | null = null
  const budget = new UpstreamBudget({ quota, deadlineMs, clock, spentBefore, share, onSent: () => record?.noticed() })
  if (options.pausedForMs) budget.throttled(options.pausedForMs)
  const breaker = new Breaker({ clock })
  const vendorClock = new VendorClock(clock)
  const connecting = {
    baseUrl,
    proxy,
    refusals,
    onDate: vendorClock.heard.bind(vendorClock),
    ...(ca !== undefined && { ca })
  }
  const outbound = new Outbound({
    budget,
    breaker,
    deadlineMs,
    clock,
    connecting,
    observed: observer && { upstream: account.name, observer },
    untilReserved: () => record?.untilReserved() ?? null
  })
  const retries = new RetryBudget(clock)
  const credentials = new Credentials({
    all: account.credentials,
    clock,
    ...(onCredential && { onSwitch: onCredential })
  })
  let isRefused = false
  const habits = new Habits({ account, clock, before: options.habitsBefore })
  const suspicion = new Suspicion(clock)

  async function send(errand: Errand, question: VendorCall, expected?: readonly number[]): Promise<VendorAnswer> {
    const isRead = question.method === 'GET'
    const isStop = errand.priority === 'stop'
    const mayBeRepeated = isRead && !errand.isBackground
    if (mayBeRepeated) retries.countRead()
    let authorization = credentials.current
    for (let again = false, another = false; ; ) {
      const call = { ...question, authorization }
      try {
        const answer = await outbound.pass(errand, call, expected)
        isRefused = false
        if (answer.status < 300) suspicion.taken(authorization)
        if (another) credentials.taken(authorization)
        return answer
      } catch (refusal) {
        const error = refusal instanceof Forbidden ? await explained(refusal, errand, call) : refusal
        if (error instanceof CredentialRefused) {
          isRefused = true
          if (another) credentials.bothRefused()
          // A stop does not wait for another question: it is one itself.
          const other = isStop ? credentials.otherThan(authorization) : await afterRefusal(authorization)
          if (another || other === authorization) throw error
          // Other mutations are answered: whether they are still wanted is for the caller to say.
          if (!isRead && !isStop) throw error
          authorization = other
          another = true
        } else if (isStop && error instanceof UpstreamThrottled) {
          await outbound.pause((error.retryAfterSeconds ?? 1) * 1_000, call, error)
        } else if (
          mayBeRepeated &&
          !again &&
          isWorthARetry(error, question) &&
          !breaker.isOpen &&
          retries.takeRetry()
        ) {
          again = true
          await outbound.pause(Math.random() * retryPauseMs, call, error)
        } else throw error
      }
    }
  }

  /** Tells what a 403 is about. The harmless read itself is about nothing but the credential, and a stop waits for no other question. */
  async function explained(refusal: Forbidden, { priority }: Errand, call: Call): Promise<Failure> {
    const { authorization, method, path, signal } = call
    if (path === harmless.path && method === harmless.method) return credentialRefused(refusal)
    const verify = verifierFor({ ...operator, priority: 'stop' }, AbortSignal.timeout(deadlineMs))
    const answer = suspicion.isRefused(authorization, verify)
    if (priority === 'stop') {
      // The answer serves later calls.
      answer.then(async isSo => {
        if (!isSo) return
        isRefused = true
        await afterRefusal(authorization)
      })
      return refusal
    }
    return (await inTime(answer, signal)) === true ? credentialRefused(refusal) : refusal
  }

  /** The credential that is in use after that one was refused. The question is everybody's, and no single caller's deadline or share. */
  async function afterRefusal(refused: Secret): Promise<Secret> {
    const signal = AbortSignal.timeout(deadlineMs)
    await credentials.refused(refused, verifierFor({ ...operator, priority: 'stop' }, signal))
    return credentials.current
  }

  function verifierFor(errand: Errand, signal: AbortSignal): VerifyCredential {
    return authorization => isTaken(outbound.pass(errand, { ...harmless, signal, authorization }), harmlessRead)
  }

  return {
    recordIn(given) {
      record = given
    },
    begin: async () => share?.begin(() => budget.counted()),
    dedicatedTo,
    habits,
    webhooks: webhooksOf(webhooks, { source: account.webhookKey, deadlineMs, clock, ca }),
    vendorNowMs: bound => vendorClock.now(bound),
    on: errand => provider((question, expected) => send(errand, question, expected), habits),
    verifyCredential: signal => isTaken(send(operator, { ...harmless, signal }), harmlessRead),
    credential: () => ({ position: credentials.position, isRefused }),
    chooseCredential: (all, signal) => credentials.choose(all, verifierFor(operator, signal)),
    status: () => ({ budget: budget.status(), breaker: breaker.isOpen ? 'open' : 'closed', habits: habits.kept() }),
    tenants: () => budget.tenants(),
    spent: () => budget.spent(),
    async close() {
      await outbound.close()
      await share?.close()
    }
  }
}

async function isTaken(answer: Promise<VendorAnswer>, { demand }: HarmlessRead): Promise<boolean> {
  try {
    demand((await answer).body)
    return true
  } catch (error) {
    if ([UpstreamCredentialsRefused, Forbidden, NoRoute].some(kind => error instanceof kind)) return false
    throw error
  }
}

/** Makes of a 403 the refusal of the credential: then nothing was done. */
function credentialRefused({ cause, outcome, upstreamStatus, upstreamReason }: Forbidden): CredentialRefused {
  return new CredentialRefused({ cause, upstreamStatus, upstreamReason, ...(outcome && { outcome: 'not_sent' }) })
}

function isWorthARetry(error: unknown, { signal, mayFail }: VendorCall): boolean {
  if (mayFail && isOwnTrouble(error)) return false
  return !signal.aborted && (error instanceof UpstreamFailed || error instanceof UpstreamUnreachable)
}
