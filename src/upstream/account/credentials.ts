import type { Clock } from '../../domain/values/clock.ts'
import type { Secret } from '../../domain/values/secret.ts'

export interface CredentialsOptions {
  /** One or two, the preferred one first. */
  all: readonly Secret[]
  clock: Pick<Clock, 'monotonic'>
  /** The vendor takes another from now on: the first or the second of the configured ones. */
  onSwitch?(position: number): void
}

/** A credential of ours: false when the vendor refuses it. Throws when that can't be found out. */
export type VerifyCredential = (credential: Secret) => Promise<boolean>

/** A vendor that refuses both is not asked about the other one again and again; one that can't be asked now may be in a moment. */
const verifyAgainMs = 5_000
const askAgainMs = 500

/**
 * Chooses the value of `Authorization`: one of two, so that a credential can be replaced while calls go on. The one that was refused
 * gives way to the other one when the vendor takes that.
 */
export class Credentials {
  readonly #clock: CredentialsOptions['clock']
  readonly #onSwitch: (position: number) => void
  #all: readonly Secret[]
  #current: Secret
  #verifying: Promise<boolean> | null = null
  #notBeforeMs = Number.NEGATIVE_INFINITY

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
  async refused(credential: Secret, verify: VerifyCredential): Promise<boolean> {
    if (credential !== this.#current) return true
    const other = this.#all.find(one => one !== credential)
    if (other === undefined) return false
    // Calls that meet the refusal meanwhile wait for the same answer.
    this.#verifying ??= this.#tryOther(other, verify).finally(() => {
      this.#verifying = null
    })
    return this.#verifying
  }

  /** The other of two; the same where there is one. For a call that can't wait for that. */
  otherThan(credential: Secret): Secret {
    return this.#all.find(one => one !== credential) ?? credential
  }

  /** The vendor has taken it for a call. */
  taken(credential: Secret): void {
    if (this.#all.includes(credential)) this.#use(credential)
  }

  /** Both were refused for the same call: that is about the call, and no reason to go from one to the other and back. */
  bothRefused(): void {
    this.#pause(verifyAgainMs)
  }

  /**
   * Chooses among newly configured ones. The one in use stays where it is among them and those before it are refused. Gives a
   * function that puts them to use, or null when the vendor takes none of them.
   * @throws what `verify` throws
   */
  async choose(all: readonly Secret[], verify: VerifyCredential): Promise<(() => void) | null> {
    const known = [this.#current, ...this.#all]
    const kept = all.map(one => known.find(other => other.reveal() === one.reveal()) ?? one)
    for (const candidate of kept) {
      if (candidate !== this.#current && !(await verify(candidate))) continue
      return () => {
        this.#all = kept
        this.#use(candidate)
      }
    }
    return null
  }

  async #tryOther(other: Secret, verify: VerifyCredential): Promise<boolean> {
    if (this.#clock.monotonic() < this.#notBeforeMs) return false
    const isTaken = await verify(other).catch(() => null)
    if (isTaken === true) this.#use(other)
    else this.#pause(isTaken === null ? askAgainMs : verifyAgainMs)
    return isTaken === true
  }

  #pause(pauseMs: number): void {
    this.#notBeforeMs = this.#clock.monotonic() + pauseMs
  }

  #use(credential: Secret): void {
    if (credential === this.#current) return
    this.#current = credential
    this.#onSwitch(this.position)
  }
}

function first(all: readonly Secret[]): Secret {
  const [one] = all
  if (one === undefined) throw new TypeError('an upstream without a credential')
  return one
}

/** Time in which a success speaks for a credential, and in which no second question about it is asked. */
const recentMs = 5_000

/** Tells whether a 403 is about the credential: then a read that harms nothing is refused as well. All callers share one question. */
export class Suspicion {
  readonly #clock: Pick<Clock, 'monotonic'>
  #taken: { credential: Secret; atMs: number } | null = null
  #asked: { credential: Secret; atMs: number; isOver: boolean; answer: Promise<boolean> } | null = null

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  /** The vendor has answered a call with it, and not with a refusal. */
  taken(credential: Secret): void {
    this.#taken = { credential, atMs: this.#clock.monotonic() }
  }

  /** False also when it can't be found out. Never throws. */
  isRefused(credential: Secret, verify: VerifyCredential): Promise<boolean> {
    const nowMs = this.#clock.monotonic()
    if (this.#taken?.credential === credential && nowMs - this.#taken.atMs < recentMs) return Promise.resolve(false)
    const asked = this.#asked
    if (asked?.credential === credential && (!asked.isOver || nowMs - asked.atMs < recentMs)) return asked.answer
    const asking = { credential, atMs: nowMs, isOver: false, answer: this.#ask(credential, verify) }
    asking.answer.then(() => {
      asking.isOver = true
    })
    this.#asked = asking
    return asking.answer
  }

  async #ask(credential: Secret, verify: VerifyCredential): Promise<boolean> {
    const isTaken = await verify(credential).catch(() => null)
    if (isTaken === true) this.taken(credential)
    return isTaken === false
  }
}
