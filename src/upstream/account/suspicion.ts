import type { Clock } from '../../domain/values/clock.ts'
import type { Secret } from '../../domain/values/secret.ts'
import type { VerifyCredential } from './credentials.ts'

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
