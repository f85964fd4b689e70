import { onlyReplica, type Replicas } from '../../domain/replicas.ts'
import { Loop, type Timing } from '../../domain/values/clock.ts'
import { tellTrouble } from '../../domain/values/tell-trouble.ts'
import type { Operations } from '../../store/tables/operations.ts'
import { type WhoseDeps, whose } from '../resources/whose.ts'
import { InvokedPolls, type InvokedPollsDeps } from './invoked-polls.ts'
import { type ReconcileRunsDeps, reconcileRuns } from './reconcile-runs.ts'
import { settleStarts } from './runs-at-start.ts'

export interface RunWatchDeps extends Omit<ReconcileRunsDeps, 'whose'>, InvokedPollsDeps, WhoseDeps {
  operations: Pick<Operations, 'find'>
  clock: ReconcileRunsDeps['clock']
  /** So often the lists are read; 0: never, nor is a run polled. */
  reconcileMs: number
  timing?: Timing
  replicas?: Pick<Replicas, 'leads'>
}

/** A list has so many pages at most, and a vendor may be slow. */
const passWithinMs = 60_000

/**
 * Watches what runs at the vendors while nobody asks: compares the ledger with their lists, and asks for runs that are not on air yet. It
 * comes after everything else in the quota, and does not decide whether a vendor is well.
 */
export class RunWatch {
  readonly #deps: RunWatchDeps
  readonly #reconcile: ReturnType<typeof reconcileRuns>
  readonly #polls: InvokedPolls
  readonly #loop: Loop
  /** Passes under way, by vendor account. */
  readonly #passes = new Map<string, Promise<void>>()
  /** Accounts whose lists could not be read last. */
  readonly #failing = new Set<string>()
  readonly #ending = new AbortController()
  #isFirst = true

  constructor(deps: RunWatchDeps) {
    this.#deps = deps
    this.#reconcile = reconcileRuns({
      ...deps,
      whose: whose({ strangersEveryMs: 0, ...deps, isBackground: true })
    })
    this.#polls = new InvokedPolls(deps)
    const { reconcileMs, timing, log } = deps
    const onTrouble = tellTrouble(
      log,
      'warn',
      { event: 'ledger_pass_failed' },
      'the ledger could not be compared with what runs'
    )
    this.#loop = new Loop({ round: () => this.#round(), everyMs: reconcileMs, onTrouble, ...(timing && { timing }) })
  }

  /**
   * The first pass comes at once when an earlier process has left runs that go on: others may have taken their place while nobody watched.
   * Without such runs it comes an interval later, so that restarts cost no call.
   */
  begin(): void {
    if (this.#deps.reconcileMs === 0) return
    this.#polls.begin()
    this.#loop.start(0)
  }

  /** Livestreams that go on at the vendors, and are no tenant's. */
  unowned(): number {
    return this.#reconcile.unowned()
  }

  /** Nothing more is asked, and what is under way is cut off. */
  async close(): Promise<void> {
    this.#ending.abort()
    await Promise.all([this.#loop.close(), ...this.#passes.values(), this.#polls.close()])
  }

  /** One vendor that hangs holds back no other, nor the next round of the others. */
  async #round(): Promise<void> {
    const { replicas = onlyReplica } = this.#deps
    if (!replicas.leads()) return
    const open = await this.#polls.refresh()
    if (open.some(({ status }) => status === 'starting')) await settleStarts(this.#deps)
    const isTooEarly = this.#isFirst && open.length === 0
    this.#isFirst = false
    if (isTooEarly) return
    for (const [name, upstream] of this.#deps.upstreams) {
      if (this.#passes.has(name) || upstream.status().breaker === 'open') continue
      const pass = this.#pass(name).finally(() => this.#passes.delete(name))
      this.#passes.set(name, pass)
    }
  }

  async #pass(name: string): Promise<void> {
    const { log } = this.#deps
    const signal = AbortSignal.any([this.#ending.signal, AbortSignal.timeout(passWithinMs)])
    try {
      await this.#reconcile.pass(name, signal)
      if (this.#failing.delete(name))
        log.info({ event: 'run_lists_readable', upstream: name }, 'the lists of what runs can be read again')
    } catch (err) {
      if (this.#ending.signal.aborted) return
      const facts = { err, upstream: name }
      if (!this.#failing.has(name))
        log.warn(
          { event: 'run_lists_unreadable', ...facts },
          'the lists of what runs could not be read: nothing is concluded of that'
        )
      this.#failing.add(name)
    }
  }
}
