import { randomUUID } from 'node:crypto'
import type { SharedChanges } from '../domain/shared-changes.ts'
import { Loop } from '../domain/values/clock.ts'
import type { Valkey } from './link.ts'
import { versionKey } from './scripts.ts'

/** More than any cache of answers has entries. One that is forgotten counts as changed. */
const mostKnown = 100_000
const atOnce = 100
const tryAgainMs = 1_000

/**
 * A version of each meeting, a random id, in Valkey. A change gives it a new one. Another replica that finds another version than it
 * knew takes what it holds of that meeting for outdated.
 */
export class SharedVersions implements SharedChanges {
  readonly #valkey: Valkey
  readonly #telling: Loop
  readonly #known = new Map<string, string>()
  /** Versions that Valkey does not have yet. */
  readonly #untold = new Map<string, string>()
  #epoch: string | null = null
  #sending: Promise<void> | null = null
  #onChange: (id: string) => void = () => {}

  constructor(valkey: Valkey) {
    this.#valkey = valkey
    this.#telling = new Loop({ round: () => this.#tell() })
  }

  isAway(): boolean {
    return this.#valkey.session === null
  }

  outdate(id: string): void {
    this.#untold.set(id, randomUUID())
    void this.#tell()
  }

  async told(id: string): Promise<void> {
    // Those that were under way when it changed are without it.
    for (let tries = 0; tries < 2 && this.#untold.has(id); tries++) await this.#tell()
  }

  hear(id: string): Promise<void> | null {
    if (this.isAway()) return null
    return this.#valkey.ask('versions', [versionKey(id)], []).then(answer => {
      if (answer !== null) this.heard(id, String(answer[0]))
    })
  }

  onChange(listener: (id: string) => void): void {
    this.#onChange = listener
  }

  /** A call has brought the version that a meeting has now; empty where nobody has changed it. */
  heard(id: string, version: string): void {
    if (this.#valkey.epoch !== this.#epoch) {
      // Changes may have been lost with what it knew before.
      this.#known.clear()
      this.#epoch = this.#valkey.epoch
    }
    if (this.#known.get(id) === version) return
    this.#know(id, version)
    this.#onChange(id)
  }

  async close(): Promise<void> {
    await this.#telling.close()
    await this.#tell()
  }

  #know(id: string, version: string): void {
    this.#known.delete(id)
    this.#known.set(id, version)
    const [oldest] = this.#known.keys()
    if (this.#known.size > mostKnown && oldest !== undefined) this.#known.delete(oldest)
  }

  #tell(): Promise<void> {
    this.#sending ??= this.#send().finally(() => {
      this.#sending = null
    })
    return this.#sending
  }

  async #send(): Promise<void> {
    const some = [...this.#untold].slice(0, atOnce)
    if (some.length === 0) return
    const keys = some.map(([id]) => versionKey(id))
    const answer = await this.#valkey.ask(
      'outdate',
      keys,
      some.map(([, version]) => version)
    )
    if (answer !== null) {
      for (const [id, version] of some) {
        if (this.#untold.get(id) === version) this.#untold.delete(id)
        // Its own change is no news.
        if (this.#valkey.epoch === this.#epoch) this.#know(id, version)
      }
    }
    if (this.#untold.size > 0) this.#telling.wake(answer === null ? tryAgainMs : 1)
  }
}
