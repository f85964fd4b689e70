import { type Bucket, type CallCounter, type Counted, counted, Gcra } from '../domain/values/gcra.ts'
import type { Valkey } from './link.ts'
import { limitKey, versionKey } from './scripts.ts'

export interface SharedCounterOptions {
  valkey: Valkey
  /** Milliseconds that never run backwards. */
  monotonic(): number
  /** Hears the version of a meeting, which another one outdates. */
  onVersion?(meetingId: string, version: string): void
}

/** More than there are tenants, with two limits each. */
const maxKeys = 100_000

/**
 * Counts the calls of tenants over all replicas, in Valkey. Without Valkey each replica goes on from what it heard last, with its share
 * of what was left and of the refill. A share of a bucket is as full as the bucket: each call takes more of it.
 */
export class SharedCounter implements CallCounter {
  readonly #options: SharedCounterOptions
  readonly #heard: Gcra
  /** The session in which Valkey was told all that this replica knows of a key. */
  readonly #toldIn = new Map<string, number>()

  constructor(options: SharedCounterOptions) {
    this.#options = options
    this.#heard = new Gcra({ monotonic: options.monotonic, maxKeys })
  }

  async take(key: string, bucket: Bucket, meetingId?: string): Promise<Counted> {
    const answer = await this.#ask(key, bucket, 1, meetingId)
    if (answer !== null) return answer
    this.#toldIn.delete(key)
    return this.#heard.take(key, this.#shareOf(bucket))
  }

  async look(key: string, bucket: Bucket): Promise<Counted> {
    return (await this.#ask(key, bucket, 0)) ?? this.recall(key, bucket)
  }

  recall(key: string, bucket: Bucket): Counted {
    return this.#heard.look(key, this.#options.valkey.session === null ? this.#shareOf(bucket) : bucket)
  }

  async #ask(key: string, bucket: Bucket, calls: 0 | 1, meetingId?: string): Promise<Counted | null> {
    const { valkey, onVersion } = this.#options
    const { session } = valkey
    if (session === null) return null
    const { windowMs, max } = bucket
    const known = this.#toldIn.get(key) === session ? 0 : this.#heard.untilFullMs(key)
    const keys = meetingId === undefined ? [limitKey(key)] : [limitKey(key), versionKey(meetingId)]
    const answer = await valkey.ask('limit', keys, [windowMs, windowMs / max, known, calls])
    if (answer === null) return null
    const [isAllowed, left, earlyMs, version] = answer
    this.#heard.set(key, Number(left))
    this.#toldIn.set(key, session)
    if (meetingId !== undefined) onVersion?.(meetingId, String(version))
    return counted(Number(left), calls === 1 && isAllowed === 0 ? Number(earlyMs) : 0, bucket)
  }

  #shareOf({ max, windowMs }: Bucket): Bucket {
    return { max: max / this.#options.valkey.replicas, windowMs }
  }
}
