import { readFile, rename, writeFile } from 'node:fs/promises'
import { uptime } from 'node:os'
import { join } from 'node:path'
import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Clock } from '../domain/clock.ts'
import type { Quota } from '../domain/quota.ts'
import { KeptHabits } from './habits.ts'
import type { Upstream, UpstreamStatus } from './provider.ts'
import type { Spent } from './quota-use.ts'

const Count = Type.Number({ minimum: 0 })

/**
 * What a gateway leaves of an upstream for its successor and for `livegate upstream status`: what of the vendor's quota it has
 * used, and how things stand. Times are in ms, `atMs` is epoch.
 */
const UpstreamRecord = Type.Object({
  upstream: Type.String({ maxLength: 64 }),
  atMs: Count,
  /** For how long the machine had been up: its clock may be set before the successor starts, this may not. */
  upMs: Type.Optional(Count),
  quota: Count,
  windowMs: Count,
  loweredTo: Count,
  used: Type.Object({ stop: Count, mutation: Count, read: Count, other: Count }),
  left: Type.Object({ stop: Count, mutation: Count, read: Count }),
  pausedForMs: Count,
  breaker: Type.Enum(['closed', 'open']),
  tenants: Type.Array(Type.Object({ tenantId: Type.String(), reads: Count, mutations: Count, stops: Count })),
  spent: Type.Array(Type.Object({ calls: Count, forMs: Count })),
  /** Older records have none. */
  habits: Type.Optional(KeptHabits)
})
export type UpstreamRecord = Static<typeof UpstreamRecord>

const isRecord = Compile(UpstreamRecord)

export function recordFile(folder: string, upstream: string): string {
  return join(folder, `upstream-${upstream}.json`)
}

/** Null when there is none, or none that can be read: it is a help, and no reason not to start. */
export async function readRecord(file: string): Promise<UpstreamRecord | null> {
  try {
    const record: unknown = JSON.parse(await readFile(file, 'utf8'))
    return isRecord.Check(record) ? record : null
  } catch {
    return null
  }
}

/** Of the quota: what may have been sent after the last record, and so much at least counts as used after a start. */
const unrecordedShare = 0.05
const usedAtStart = 0.5
/** The same when nothing can be written down: then nobody would know of an earlier process. Starts and stops have what is left. */
const usedUnrecorded = 0.75

/** Whether there is a place for the record: asked before anything depends on it. */
export async function canRecord(file: string): Promise<boolean> {
  const trial = `${file}.new`
  return writeFile(trial, '', { mode: 0o600 }).then(
    () => true,
    () => false
  )
}

/** A clock's time, and for how long the machine has been up. */
export interface Moment {
  nowMs: number
  upMs: number
}

export function thisMoment({ now }: Pick<Clock, 'now'>): Moment {
  return { nowMs: now(), upMs: uptime() * 1_000 }
}

/**
 * Age of the record in ms, at least: the lesser of what the clock says and for how long the machine has been up since.
 * A clock that was set back makes nothing free, and one that was set forward doesn't either.
 */
function agoMs({ atMs, upMs }: Pick<UpstreamRecord, 'atMs' | 'upMs'>, moment: Moment): number {
  const byClockMs = Math.max(0, moment.nowMs - atMs)
  if (upMs === undefined) return byClockMs
  return Math.min(byClockMs, moment.upMs < upMs ? moment.upMs : moment.upMs - upMs)
}

/**
 * What a gateway that starts now must count as used: what is on record, a little for what was sent after it, and never less
 * than half of the quota, since the record may be lost. So a crash loop does not spend more than the vendor grants.
 */
export function spentBefore(
  record: Pick<UpstreamRecord, 'atMs' | 'upMs' | 'spent'> | null,
  { calls, seconds }: Quota,
  moment: Moment,
  isWritable = true
): Spent[] {
  const windowMs = seconds * 1_000
  const passedMs = record === null ? 0 : agoMs(record, moment)
  const known = (record?.spent ?? [])
    .map(spent => ({ calls: spent.calls, forMs: spent.forMs - passedMs }))
    .filter(({ forMs }) => forMs > 0)
  const recorded = known.reduce((sum, spent) => sum + spent.calls, 0)
  const unrecorded = record === null || passedMs > windowMs ? 0 : Math.ceil(calls * unrecordedShare)
  const atLeast = Math.ceil(calls * (isWritable ? usedAtStart : usedUnrecorded))
  const assumed = Math.max(unrecorded, atLeast - recorded)
  return [...known, { calls: assumed, forMs: windowMs }]
}

/** The vendor's habits as they are known after so long. A clock that was set back makes nothing last longer. */
export function habitsBefore(
  record: Pick<UpstreamRecord, 'atMs' | 'habits'> | null,
  nowMs: number
): KeptHabits | undefined {
  if (record?.habits === undefined) return undefined
  const { failsForMs, ...others } = record.habits
  return { ...others, failsForMs: Math.max(0, failsForMs - Math.max(0, nowMs - record.atMs)) }
}

export interface RecordOptions {
  name: string
  upstream: Pick<Upstream, 'status' | 'tenants' | 'spent'>
  file: string
  clock: Clock
  log: { error(facts: object, message: string): void }
  everyMs?: number
}

/**
 * Keeps the record of an upstream up to date: at least once a second while something happens, and sooner when much does. Not
 * flushed to the disk, since it is for a process that dies and not for a machine that does.
 */
export class UpstreamRecorder {
  readonly #options: RecordOptions
  /** Sent since the last record was begun. */
  #unwritten = 0
  readonly #many: number
  #timer: NodeJS.Timeout | undefined
  #writing = Promise.resolve()
  #written = { sent: -1, onMs: Number.NEGATIVE_INFINITY, facts: '' }
  #inTrouble = false

  constructor(options: RecordOptions) {
    this.#options = options
    this.#many = options.upstream.status().budget.quota * unrecordedShare
  }

  /** Before the first call goes out. */
  async start(): Promise<void> {
    await this.write()
    const { everyMs = 100 } = this.#options
    this.#timer = setInterval(() => this.#writeIfDue(), everyMs)
    this.#timer.unref()
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.write()
  }

  /** A call is about to be sent. When many were, the next record can't wait for its time. */
  noticed(): void {
    this.#unwritten += 1
    if (this.#unwritten < this.#many) return
    this.#unwritten = 0
    this.write()
  }

  write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  #writeIfDue(): void {
    const { upstream, clock } = this.#options
    const status = upstream.status()
    const isNews = status.budget.sent !== this.#written.sent || this.#written.facts !== factsOf(status)
    if (isNews && clock.monotonic() - this.#written.onMs >= 1_000) this.write()
  }

  async #write(): Promise<void> {
    const { name, upstream, clock, log } = this.#options
    const status = upstream.status()
    const { breaker, habits } = status
    const { sent, ...figures } = status.budget
    const { nowMs: atMs, upMs } = thisMoment(clock)
    this.#written = { sent, onMs: clock.monotonic(), facts: factsOf(status) }
    const more = { breaker, habits, tenants: upstream.tenants(), spent: upstream.spent() }
    const record: UpstreamRecord = { upstream: name, atMs, upMs, ...figures, ...more }
    try {
      await writeFile(`${this.#options.file}.new`, JSON.stringify(record), { mode: 0o600 })
      await rename(`${this.#options.file}.new`, this.#options.file)
      this.#inTrouble = false
    } catch (err) {
      if (!this.#inTrouble) log.error({ err }, 'what is used of the quota cannot be written down')
      this.#inTrouble = true
    }
  }
}

/** What is worth a new record; also that calls have left the window, else the operator sees them until the next one. */
function factsOf({ budget, breaker, habits }: UpstreamStatus): string {
  const { used, loweredTo, pausedForMs } = budget
  return JSON.stringify([used, loweredTo, pausedForMs > 0, breaker, habits.refusesSecondStart, habits.failsForMs > 0])
}
