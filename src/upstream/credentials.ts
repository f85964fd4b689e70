import type { Clock } from '../domain/clock.ts'
import type { Secret } from '../domain/secret.ts'

export interface CredentialsOptions {
  /** One or two, the preferred one first. */
  all: readonly Secret[]
  clock: Pick<Clock, 'monotonic'>
  /** The vendor takes another from now on: the first or the second of the configured ones. */
  onSwitch?(position: number): void
}

/** A credential of ours: false when the vendor refuses it. Throws when that can't be found out. */
export type Probe = (credential: Secret) => Promise<boolean>

/** A vendor that refuses both is not asked about the other one again and again. */
const probeAgainMs = 5_000

/**
 * What is sent as `Authorization`: one of two, so that a credential can be replaced while calls go on. The one that was refused
 * gives way to the other one when the vendor takes that.
 */
export class Credentials {
  readonly #clock: CredentialsOptions['clock']
  readonly #onSwitch: (position: number) => void
  #all: readonly Secret[]
  #current: Secret
  #probing: Promise<boolean> | null = null
  #probedAtMs = Number.NEGATIVE_INFINITY

  constructor({ all, clock, onSwitch = () => {} }: CredentialsOptions) {
    this.#clock = clock
    this.#onSwitch = onSwitch
    this.#all = all
    this.#current = first(all)
  }

  get current(): Secret {
    return this.#current
  }

  /** 1 or 2: which of the configured ones is in use. */
  get position(): number {
    return this.#all.indexOf(this.#current) + 1
  }

  /** Whether the vendor may be asked once more with another one than this, which it has refused. */
  async refused(credential: Secret, probe: Probe): Promise<boolean> {
    if (credential !== this.#current) return true
    const other = this.#all.find(one => one !== credential)
    if (other === undefined) return false
    // Whoever meets the refusal meanwhile waits for the same answer.
    this.#probing ??= this.#tryOther(other, probe).finally(() => {
      this.#probing = null
    })
    return this.#probing
  }

  /**
   * Others are configured: what is in use stays in use where it is among them and the ones before it are refused. Gives what
   * puts them to use, or null when the vendor takes none of them.
   * @throws what the probe throws
   */
  async choose(all: readonly Secret[], probe: Probe): Promise<(() => void) | null> {
    const known = [this.#current, ...this.#all]
    const kept = all.map(one => known.find(other => other.reveal() === one.reveal()) ?? one)
    for (const candidate of kept) {
      if (candidate !== this.#current && !(await probe(candidate))) continue
      return () => {
        this.#all = kept
        this.#use(candidate)
      }
    }
    return null
  }

  async #tryOther(other: Secret, probe: Probe): Promise<boolean> {
    const nowMs = this.#clock.monotonic()
    if (nowMs - this.#probedAtMs < probeAgainMs) return false
    this.#probedAtMs = nowMs
    const isTaken = await probe(other).catch(() => false)
    if (isTaken) this.#use(other)
    return isTaken
  }

  #use(credential: Secret): void {
    if (credential === this.#current) return
    this.#current = credential
    this.#probedAtMs = Number.NEGATIVE_INFINITY
    this.#onSwitch(this.position)
  }
}

function first(all: readonly Secret[]): Secret {
  const [one] = all
  if (one === undefined) throw new TypeError('an upstream without a credential')
  return one
}
