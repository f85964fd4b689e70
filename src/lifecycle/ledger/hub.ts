import type { Run, RunEvent } from '../../domain/run.ts'

/** A run that has just been moved, and what its tenant is told of that. */
export interface RunChange {
  /** As it is now. A change without an event: its playback address has come to be known, say. */
  readonly run: Run
  readonly events: readonly RunEvent[]
}

/** Tells within this process that runs have changed, after the commit. */
export interface RunEvents {
  /**
   * Calls the listener after each commit, never before it. It is a reason to read the events after the last one that was read: another
   * process may have written some, and they come in the order of their numbers. Gives back what ends it.
   */
  subscribe(listener: (changes: readonly RunChange[]) => void): () => void
}

export class RunHub implements RunEvents {
  /** How many listen. */
  listening = 0
  readonly #listeners = new Set<(changes: readonly RunChange[]) => void>()
  readonly #log: { error(facts: object, message: string): void }

  constructor(log: { error(facts: object, message: string): void }) {
    this.#log = log
  }

  subscribe(listener: (changes: readonly RunChange[]) => void): () => void {
    this.#listeners.add(listener)
    this.listening = this.#listeners.size
    return () => {
      this.#listeners.delete(listener)
      this.listening = this.#listeners.size
    }
  }

  /** A listener that throws must not undo what is committed, nor keep others from hearing of it. */
  committed(changes: readonly RunChange[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(changes)
      } catch (err) {
        this.#log.error({ err }, 'a listener to the events of runs has failed')
      }
    }
  }
}
