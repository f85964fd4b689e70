import { setTimeout as sleep } from 'node:timers/promises'
import type { Observer } from '../../domain/observer.ts'
import type { QuotaShare } from '../../domain/quota-share.ts'
import { isSameAccount, isSameConfiguration, type UpstreamAccount } from '../../domain/upstream-account.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Upstream, Upstreams } from '../provider.ts'
import { quotaFileIn } from '../quota/quota-file.ts'
import { QuotaFileWriter } from '../quota/quota-file-writer.ts'
import type { Spent } from '../quota/quota-use.ts'
import type { Vendors } from '../vendors/vendor.ts'
import { type HandedOn, leftBefore } from './left-before.ts'
import { openUpstream } from './open-upstream.ts'
import { UpstreamsRejected, vendorAnswer } from './upstreams-rejected.ts'

/** Meaning of upstreams' names beyond this process. */
export interface Names {
  /** The reason why an upstream can't be taken away, in words; null when nobody needs it. */
  neededBy(name: string): Promise<string | null>
  /** Why the account can't have that name, in words: `is …`. Null when it can. */
  conflict(account: UpstreamAccount): Promise<string | null>
  remember(account: UpstreamAccount): Promise<void>
}

export interface UpstreamSetOptions {
  /** The folder of the files that tell the next process what of each quota is used. */
  dataDir: string
  deadlineMs: number
  /** The boot of the machine; null where the system does not tell. */
  bootId: string | null
  clock: Clock
  log: Record<'error' | 'warn', (facts: object, message: string) => void>
  observer?: Observer | undefined
  ca?: string | undefined
  /** Default: all that Livegate speaks to. */
  vendors?: Vendors | undefined
  /** This account is in use from now on. */
  onOpened?(account: UpstreamAccount): void
  /** Another credential of an upstream is used from now on. */
  onCredential?(name: string, position: number): void
  names?: Names
  /** This process's part of an account's quota, where replicas divide it. */
  shareOf?: ((account: UpstreamAccount) => QuotaShare) | undefined
}

const unknownToAll =
  'no other replica tells what is used of the quota: for a window nothing but stops is sent, where none gives any back'

interface Opened {
  account: UpstreamAccount
  upstream: Upstream
  writer: QuotaFileWriter
}

/** The vendor accounts of a running gateway, which can change while calls go on. */
export class UpstreamSet {
  readonly #options: UpstreamSetOptions
  readonly #opened = new Map<string, Opened>()
  readonly #upstreams = new Map<string, Upstream>()
  readonly #closing = new AbortController()
  /** Accounts that were replaced, while their last calls end. */
  readonly #leaving = new Set<Promise<void>>()

  constructor(options: UpstreamSetOptions) {
    this.#options = options
  }

  /** The accounts by name; it shows each change at once. */
  get upstreams(): Upstreams {
    return this.#upstreams
  }

  /** Opens the first list. The vendors are not asked, since a gateway must start while one is away. @throws UpstreamsRejected */
  async open(accounts: readonly UpstreamAccount[]): Promise<void> {
    for (const account of accounts) await this.#checkAccount(account)
    for (const account of accounts) await this.#put(account, await this.#leftBefore(account))
  }

  /** Whether each vendor takes a credential of ours; a reason where it doesn't, or can't be asked. */
  async check(): Promise<{ name: string; reason: string | null }[]> {
    const { deadlineMs } = this.#options
    return Promise.all(
      [...this.#opened.values()].map(async ({ account, upstream }) => {
        const reason = await vendorAnswer(account, upstream.verifyCredential(AbortSignal.timeout(deadlineMs))).then(
          () => null,
          (error: Error) => error.message
        )
        return { name: account.name, reason }
      })
    )
  }

  /** Shows the first credential to its vendor once more, wherever the second is in use. */
  async preferFirst(): Promise<void> {
    const { deadlineMs } = this.#options
    const second = [...this.#opened.values()].filter(({ upstream }) => upstream.credential().position > 1)
    await Promise.all(
      second.map(async ({ account, upstream }) => {
        const signal = AbortSignal.timeout(deadlineMs)
        const use = await upstream.chooseCredential(account.credentials, signal).catch(() => null)
        use?.()
      })
    )
  }

  /**
   * Takes another list, all of it or nothing; false when it is the same. Each credential that is new is shown to its vendor first.
   * @throws UpstreamsRejected that says what is wrong with it
   */
  async replace(accounts: readonly UpstreamAccount[]): Promise<boolean> {
    const { deadlineMs } = this.#options
    await this.#checkNames(accounts)
    const steps: (() => unknown)[] = []
    const tried: Upstream[] = []
    try {
      for (const account of accounts) {
        const opened = this.#opened.get(account.name)
        const signal = AbortSignal.any([AbortSignal.timeout(deadlineMs), this.#closing.signal])
        if (opened !== undefined && isSameAccount(opened.account, account)) {
          if (isSameConfiguration(opened.account, account)) continue
          const use = await vendorAnswer(account, opened.upstream.chooseCredential(account.credentials, signal))
          steps.push(() => {
            use()
            opened.account = account
          })
        } else {
          const trial = openUpstream({ account, ...this.#given() })
          tried.push(trial)
          await vendorAnswer(account, trial.verifyCredential(signal))
          steps.push(() => this.#swap(account, opened, trial.spent()))
        }
      }
    } finally {
      for (const trial of tried) this.#leave(trial)
    }
    for (const step of steps) await step()
    const names = accounts.map(({ name }) => name)
    const gone = [...this.#opened].filter(([name]) => !names.includes(name))
    for (const [name, { upstream }] of gone) await this.#takeAway(name, upstream)
    return steps.length + gone.length > 0
  }

  /** Waits for no vendor's answer any more. */
  abort(): void {
    this.#closing.abort()
  }

  /** Ends idle connections, lets calls under way finish, and leaves what is used of each quota. */
  async close(): Promise<void> {
    this.abort()
    for (const name of [...this.#opened.keys()]) await this.#remove(name)
    await Promise.all(this.#leaving)
  }

  async #checkNames(accounts: readonly UpstreamAccount[]): Promise<void> {
    for (const { account } of this.#opened.values()) {
      const { name } = account
      const next = accounts.find(other => other.name === name)
      if (next === undefined) {
        const reason = await this.#options.names?.neededBy(name)
        if (reason != null) throw new UpstreamsRejected(`upstream ${name} is missing, and ${reason}`)
      }
    }
    for (const account of accounts) await this.#checkAccount(account)
  }

  async #checkAccount(account: UpstreamAccount): Promise<void> {
    const conflict = await this.#options.names?.conflict(account)
    if (conflict != null) throw new UpstreamsRejected(`upstream ${account.name} ${conflict}`)
  }

  /** Hands what counts of the quota on to the account that follows. */
  async #swap(account: UpstreamAccount, before: Opened | undefined, trial: readonly Spent[]): Promise<void> {
    const left =
      before === undefined
        ? await this.#leftBefore(account)
        : { spent: before.upstream.spent(), habits: before.upstream.status().habits }
    await this.#put(account, { ...left, spent: [...left.spent, ...trial] }, before)
  }

  /** Puts an account to use. In the same turn in which it is known what is spent, the one before gets no more calls. */
  async #put(account: UpstreamAccount, { spent, habits }: HandedOn, before?: Opened): Promise<void> {
    const { bootId, clock, log } = this.#options
    const { name } = account
    const share = this.#options.shareOf?.(account)
    const upstream = openUpstream({
      account,
      ...this.#given(),
      spentBefore: spent,
      habitsBefore: habits,
      share,
      pausedForMs: before?.upstream.status().budget.pausedForMs ?? 0,
      onCredential: position => this.#options.onCredential?.(name, position)
    })
    const writer = new QuotaFileWriter({ name, upstream, file: this.#fileOf(account), clock, bootId, log })
    upstream.recordIn(writer)
    this.#opened.set(name, { account, upstream, writer })
    this.#upstreams.set(name, upstream)
    this.#options.onOpened?.(account)
    await upstream.begin()
    if (share?.calls() === 0)
      log.warn({ event: 'quota_unknown', upstream: name, windowSeconds: account.quota.seconds }, unknownToAll)
    await before?.writer.close()
    if (before !== undefined) this.#leave(before.upstream, 2 * this.#options.deadlineMs)
    await writer.start()
    await this.#options.names?.remember(account)
  }

  /** Takes an upstream away, unless somebody has come to need it while vendors were asked. */
  async #takeAway(name: string, upstream: Upstream): Promise<void> {
    this.#upstreams.delete(name)
    const reason = await this.#options.names?.neededBy(name)
    if (reason == null) return this.#remove(name)
    this.#upstreams.set(name, upstream)
    this.#options.log.error(
      { event: 'upstream_missing', upstream: name, reason },
      'this upstream is missing in the list, and needed: it stays'
    )
  }

  async #remove(name: string): Promise<void> {
    const opened = this.#opened.get(name)
    this.#opened.delete(name)
    this.#upstreams.delete(name)
    await opened?.writer.close()
    if (opened !== undefined) this.#leave(opened.upstream, 2 * this.#options.deadlineMs)
  }

  /** Closes a way out when its last calls have ended: a start sends over the one that it has looked over. */
  #leave(upstream: Upstream, afterMs = 0): void {
    const left = sleep(afterMs, undefined, { ref: false, signal: this.#closing.signal })
      .catch(() => {})
      .then(() => upstream.close())
      .finally(() => this.#leaving.delete(left))
    this.#leaving.add(left)
  }

  #given() {
    const { deadlineMs, clock, observer, ca, vendors } = this.#options
    return { deadlineMs, clock, observer, vendors, ...(ca !== undefined && { ca }) }
  }

  #fileOf({ name }: UpstreamAccount): string {
    return quotaFileIn(this.#options.dataDir, name)
  }

  #leftBefore(account: UpstreamAccount): Promise<HandedOn> {
    const { deadlineMs, bootId, clock, log } = this.#options
    return leftBefore(account, { file: this.#fileOf(account), bootId, deadlineMs, clock, log })
  }
}
