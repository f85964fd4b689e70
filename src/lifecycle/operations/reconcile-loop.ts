import type { PlacedMeeting } from '../../domain/meeting.ts'
import type { Observer } from '../../domain/observer.ts'
import { canBeReconciled, type Operation } from '../../domain/operation.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { outOfTraces } from '../../tracing/trace.ts'

export interface ReconcileLoopOptions {
  /** True when it is settled. */
  reconcile(operation: Operation): Promise<boolean>
  /** Whether it would only wait for its turn in its meeting. */
  mustWait(operation: Operation): boolean
  /** Whether another replica looks after it by now. */
  isOthers?(operation: Operation): boolean
  log: { warn(facts: object, message: string): void; info(facts: object, message: string): void }
  clock: Pick<Clock, 'monotonic'>
  observer?: Pick<Observer, 'settled'> | undefined
  /** How soon an operation should be settled; what takes longer is for the operator too. */
  settleMs: number
}

interface Entry {
  operation: Operation
  sinceMs: number
  tries: number
  told: boolean
  timer: NodeJS.Timeout | undefined
  /** While it is being tried. */
  run: Promise<void> | undefined
}

/**
 * So many at once ask each vendor account, so that an outage's end is no rush. One that hangs holds back nothing at the others. An
 * operation that waits for its turn in its meeting is not counted: somebody else asks meanwhile.
 */
const atOnce = 8
/** One tenant may have half of them. */
const mostOfTenant = 4
const firstPauseMs = 500
const longestPauseMs = 30_000

/**
 * Operations whose outcome is unknown, each asked about again after growing pauses until it is settled. It uses no `Loop`: each
 * operation has pauses of its own, and several are tried at the same time.
 */
export class ReconcileLoop {
  readonly #options: ReconcileLoopOptions
  readonly #entries = new Map<string, Entry>()
  readonly #ready: Entry[] = []
  readonly #waiting = new Set<Promise<void>>()
  readonly #running = new Map<Promise<void>, Operation>()
  #closed = false

  constructor(options: ReconcileLoopOptions) {
    this.#options = options
  }

  /** Takes over what can be settled; of the others nobody can tell more. */
  add(operation: Operation): void {
    if (this.#closed || !canBeReconciled(operation.kind) || this.#entries.has(operation.id)) return
    const entry = {
      operation,
      sinceMs: this.#options.clock.monotonic(),
      tries: 0,
      told: false,
      timer: undefined,
      run: undefined
    }
    this.#entries.set(operation.id, entry)
    this.#wait(entry)
  }

  /** Tries one that waits for its next turn, and ends when it was tried. */
  async now(id: string): Promise<void> {
    const entry = this.#entries.get(id)
    if (entry?.timer !== undefined) {
      this.#makeReady(entry)
      this.#next()
    }
    await entry?.run
  }

  /** The start of this meeting that is open, as far as memory knows: for a stop that goes on though the store can't be read. */
  openStartAt({ id, upstream }: PlacedMeeting): Operation | null {
    const isOurs = ({ kind, meetingId, upstream: at }: Operation): boolean =>
      kind === 'start' && meetingId === id && at === upstream
    return [...this.#entries.values()].find(({ operation }) => isOurs(operation))?.operation ?? null
  }

  /** How many are open. */
  get size(): number {
    return this.#entries.size
  }

  /** Those that are open. */
  open(): Operation[] {
    return [...this.#entries.values()].map(({ operation }) => operation)
  }

  /** How many stops have been open for longer than `ageMs`: something may go on that nobody could end. */
  stopsOlderThan(ageMs: number): number {
    const nowMs = this.#options.clock.monotonic()
    const isOld = ({ operation, sinceMs }: Entry): boolean => operation.kind === 'stop' && nowMs - sinceMs > ageMs
    return [...this.#entries.values()].filter(isOld).length
  }

  /** Asks no more; what is under way ends first. What is open stays so in the store, for the next start. */
  async close(): Promise<void> {
    this.#closed = true
    for (const { timer } of this.#entries.values()) clearTimeout(timer)
    await Promise.allSettled([...this.#waiting, ...this.#running.keys()])
  }

  /** 0.5, 1, 2, 4, 5 s … while it should still be settled in time, then up to half a minute. */
  #wait(entry: Entry): void {
    const { clock, settleMs } = this.#options
    const inTime = clock.monotonic() - entry.sinceMs < settleMs
    const pauseMs = Math.min(firstPauseMs * 2 ** entry.tries, inTime ? 5_000 : longestPauseMs)
    entry.timer = setTimeout(() => {
      this.#makeReady(entry)
      this.#next()
    }, pauseMs)
    entry.timer.unref()
  }

  #makeReady(entry: Entry): void {
    clearTimeout(entry.timer)
    entry.timer = undefined
    this.#ready.push(entry)
  }

  /** A stop that waited for its meeting's start does not wait for its pause to end: the start may have begun something. */
  #hurry(meetingId: string | null): void {
    const waiting = [...this.#entries.values()].filter(({ timer }) => timer !== undefined)
    for (const entry of waiting) if (entry.operation.meetingId === meetingId) this.#makeReady(entry)
  }

  #next(): void {
    while (!this.#closed) {
      const waits = this.#ready.findIndex(({ operation }) => this.#options.mustWait(operation))
      const entry = waits === -1 ? this.#takeNext() : this.#ready.splice(waits, 1)[0]
      if (entry === undefined) return
      const run = this.#try(entry).finally(() => {
        entry.run = undefined
        this.#waiting.delete(run)
        this.#running.delete(run)
        this.#next()
      })
      entry.run = run
      if (waits === -1) this.#running.set(run, entry.operation)
      else this.#waiting.add(run)
    }
  }

  /** The first one of the tenant that has fewest under way: what is slow for one must not hold back what the others wait for. */
  #takeNext(): Entry | undefined {
    const ofUpstreams = new Map<string, number>()
    const ofTenants = new Map<string, number>()
    for (const operation of this.#running.values()) {
      countOne(ofUpstreams, operation.upstream)
      countOne(ofTenants, tenantAt(operation))
    }
    const counts = this.#ready.map(({ operation }) =>
      (ofUpstreams.get(operation.upstream) ?? 0) < atOnce ? (ofTenants.get(tenantAt(operation)) ?? 0) : mostOfTenant
    )
    const fewest = Math.min(...counts)
    return fewest < mostOfTenant ? this.#ready.splice(counts.indexOf(fewest), 1)[0] : undefined
  }

  async #try(entry: Entry): Promise<void> {
    const { reconcile, log, clock, settleMs } = this.#options
    const { id, kind, meetingId } = entry.operation
    entry.tries += 1
    // The call that has occasioned it, or waits for it, is another one.
    const settled = await outOfTraces(() => reconcile(entry.operation)).catch(err => {
      log.info({ event: 'operation_unsettled', err, operation: id }, 'an operation could not be settled yet')
      return false
    })
    if (settled) {
      this.#entries.delete(id)
      this.#options.observer?.settled(kind)
      log.info({ event: 'operation_settled', operation: id, kind, meeting_id: meetingId }, 'an operation was settled')
      if (kind === 'start') this.#hurry(meetingId)
      return
    }
    if (this.#options.isOthers?.(entry.operation)) return void this.#entries.delete(id)
    if (!entry.told && clock.monotonic() - entry.sinceMs > settleMs) {
      entry.told = true
      log.warn(
        { event: 'operation_overdue', operation: id, kind, meeting_id: meetingId },
        'an operation is not settled: `livegate operation list --open` shows it, `operation resolve` ends it'
      )
    }
    if (!this.#closed) this.#wait(entry)
  }
}

/** One key for both. No tenant id has a slash. */
function tenantAt({ tenantId, upstream }: Operation): string {
  return `${tenantId}/${upstream}`
}

function countOne(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
