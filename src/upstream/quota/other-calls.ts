/** Calls that other processes have sent, and those that the next one must know of. */
import type { Spent } from './quota-use.ts'

/** Calls that count against the quota and are not this process's own: its predecessor's, or those of other users of the account. */
export class OtherCalls {
  readonly #before: Spent[]
  #others: Spent = { calls: 0, untilMs: 0 }

  /** @param latestMs when the last call that may be under way now leaves the window */
  constructor(before: readonly Spent[], { nowMs, latestMs }: { nowMs: number; latestMs: number }) {
    this.#before = before
      .filter(({ untilMs }) => untilMs > nowMs)
      .map(({ calls, untilMs }) => ({ calls, untilMs: Math.min(untilMs, latestMs) }))
  }

  /** Calls of earlier processes. */
  get before(): readonly Spent[] {
    return this.#before
  }

  usedBefore(): number {
    return this.#before.reduce((sum, { calls }) => sum + calls, 0)
  }

  /** Those that nobody here has sent. */
  get ofOthers(): number {
    return this.#others.calls
  }

  tell(calls: number, untilMs: number): void {
    this.#others = { calls: Math.max(0, calls), untilMs }
  }

  /** Forgets what has left the window by then. */
  forget(nowMs: number): void {
    for (let i = this.#before.length - 1; i >= 0; i--) {
      if ((this.#before[i]?.untilMs ?? 0) < nowMs) this.#before.splice(i, 1)
    }
    if (this.#others.untilMs < nowMs) this.#others = { calls: 0, untilMs: 0 }
  }
}

/** A window is told to the next process in so many parts. */
const stepsPerWindow = 60
/** Rounding of a time on its way through a file, as a part of a step, that must not make it count a step longer. */
const stepTolerance = 1e-6

/**
 * Calls that have ended, counted by the step in which they leave the window. Steps begin at the same moments for all processes of a
 * boot. So calls that are handed on many times count no longer than those that are handed on once.
 */
export class WindowSteps {
  readonly #stepMs: number
  readonly #calls = new Map<number, number>()

  constructor(windowMs: number) {
    this.#stepMs = windowMs / stepsPerWindow
  }

  count({ calls, untilMs }: Spent): void {
    add(this.#calls, this.#stepOf(untilMs), calls)
  }

  /** All of them, and others. */
  with(others: readonly Spent[]): Spent[] {
    const all = new Map(this.#calls)
    for (const { calls, untilMs } of others) add(all, this.#stepOf(untilMs), calls)
    return [...all].map(([step, calls]) => ({ calls, untilMs: step * this.#stepMs }))
  }

  #stepOf(untilMs: number): number {
    return Math.ceil(untilMs / this.#stepMs - stepTolerance)
  }
}

function add(steps: Map<number, number>, step: number, calls: number): void {
  const sum = (steps.get(step) ?? 0) + calls
  if (sum > 0) steps.set(step, sum)
  else steps.delete(step)
}
