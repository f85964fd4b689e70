import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { nameOfValkey, type ValkeyHome } from '../domain/valkey-home.ts'
import { Loop } from '../domain/values/clock.ts'
import { type Client, makeClient } from './client.ts'
import { epochKey, replicasKey, type ScriptName } from './scripts.ts'

/** Valkey, as those who count there know it. */
export interface Valkey {
  /** Another number after each loss; null while it is away. */
  readonly session: number | null
  /** The id of what it knows: with another one it has lost everything. Null while it is away. */
  readonly epoch: string | null
  /** Replicas that live now, this one among them; while Valkey is away as last known. */
  readonly replicas: number
  /** Runs a script. Null when Valkey is away, or does not answer in time. */
  ask(script: ScriptName, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown[] | null>
}

export interface LinkOptions {
  home: ValkeyHome
  log: Record<'info' | 'warn', (facts: object, message: string) => void>
  /** Replicas that live now by another count, such as that of the store. */
  liveReplicas?(): number
  /** Valkey is there, at the start or again. */
  onSession?(): void
  /** Longest time for an answer, where that is not the usual one (a test on a busy machine). */
  withinMs?: number
  /** Makes the connections (a test). */
  connect?(home: ValkeyHome): Client
}

const usualMs = 20
/** While others are answered a call waits in their queue, and so for longer, but not for more than so many times as long. */
const longestQueue = 3
const everyMs = 1_000
/** A connection has handshakes, and the first call brings the scripts. */
const beginWithinMs = 1_000

/**
 * The way to Valkey. A call that is not answered in time loses it: from then on nobody waits, and one probe a second asks whether it is
 * back. A call that was lost may still be carried out later.
 */
export class ValkeyLink implements Valkey {
  readonly #options: LinkOptions
  readonly #id = randomUUID()
  readonly #loop: Loop
  readonly #waiting = new Set<() => void>()
  readonly #withinMs: number
  /** Time of the last answer. */
  #heardAtMs = Number.NEGATIVE_INFINITY
  #client: Client | null = null
  #epoch: string | null = null
  #sessions = 0
  #trouble: string | null = null
  #replicas = 1

  constructor(options: LinkOptions) {
    this.#options = options
    this.#withinMs = options.withinMs ?? usualMs
    this.#loop = new Loop({ round: () => this.#round(), everyMs })
  }

  get session(): number | null {
    return this.#epoch === null ? null : this.#sessions
  }

  get epoch(): string | null {
    return this.#epoch
  }

  get replicas(): number {
    return Math.max(this.#replicas, this.#options.liveReplicas?.() ?? 1)
  }

  /** Looks for Valkey, and goes on without it where it is away. */
  async open(): Promise<void> {
    await this.#round()
    this.#loop.start()
  }

  async ask(
    script: ScriptName,
    keys: readonly string[],
    args: readonly (string | number)[]
  ): Promise<unknown[] | null> {
    const [client, epoch] = [this.#client, this.#epoch]
    if (client === null || epoch === null) return null
    const answer = await this.#inTime(client.run(script, [epochKey, ...keys], [epoch, ...args]))
    if (answer === undefined) return null
    if (answer === null) this.#lose('it has lost what it knew')
    return answer as unknown[] | null
  }

  async close(): Promise<void> {
    await this.#loop.close()
    await this.ask('presence', [replicasKey], [this.#id, 0])
    this.#epoch = null
    this.#giveUp()
  }

  /** Undefined, and Valkey is lost, when the answer fails or takes too long. */
  #inTime<T>(answer: Promise<T>): Promise<T | undefined> {
    return new Promise(resolve => {
      const give = (value: T | undefined): void => {
        clearTimeout(timer)
        this.#waiting.delete(giveUp)
        resolve(value)
      }
      const giveUp = (): void => give(undefined)
      let rounds = 1
      const judge = (): void => {
        if (!this.#waiting.has(giveUp)) return
        const isMoving = performance.now() - this.#heardAtMs < this.#withinMs
        if (isMoving && rounds < longestQueue) {
          rounds += 1
          timer = setTimeout(look, this.#withinMs)
        } else this.#lose(this.#tooLate())
      }
      // In the turn that is judged after, an answer is read that has come while this process was busy.
      const look = (): void => void setImmediate(judge)
      let timer = setTimeout(look, this.#withinMs)
      this.#waiting.add(giveUp)
      const take = (value: T): void => {
        this.#heardAtMs = performance.now()
        give(value)
      }
      answer.then(take, (error: Error) => {
        if (this.#waiting.has(giveUp)) this.#lose(error.message)
      })
    })
  }

  #tooLate(): string {
    return `it takes longer than ${this.#withinMs} ms`
  }

  #lose(reason: string): void {
    const wasThere = this.#epoch !== null
    this.#epoch = null
    this.#giveUp()
    if (!wasThere) return
    this.#tellLoss(reason)
    this.#loop.wake()
  }

  #giveUp(): void {
    this.#client?.close()
    this.#client = null
    for (const giveUp of [...this.#waiting]) giveUp()
  }

  async #round(): Promise<void> {
    if (this.#epoch === null) await this.#probe()
    const answer = await this.ask('presence', [replicasKey], [this.#id, 1])
    if (answer !== null) this.#replicas = Number(answer[0])
  }

  async #probe(): Promise<void> {
    const { home, connect = makeClient, onSession } = this.#options
    const client = connect(home)
    const isOver = new AbortController()
    try {
      const late = sleep(beginWithinMs, null, { signal: isOver.signal }).catch(() => null)
      const epoch = await Promise.race([begin(client), late])
      if (epoch === null) throw new Error(`it takes longer than ${beginWithinMs} ms to begin`)
      if ((await this.#inTime(client.ping())) === undefined) throw new Error(this.#tooLate())
      this.#client = client
      this.#epoch = epoch
      this.#sessions += 1
      this.#trouble = null
      client.onEnd(() => {
        if (this.#client === client) this.#lose('the connection has ended')
      })
      this.#options.log.info({ event: 'valkey_connected', valkey: nameOfValkey(home) }, 'replicas count together')
      onSession?.()
    } catch (error) {
      client.close()
      this.#tellLoss(client.trouble() ?? (error as Error).message)
    } finally {
      isOver.abort()
    }
  }

  /** Says once why it is away. */
  #tellLoss(reason: string): void {
    if (this.#trouble === reason) return
    this.#trouble = reason
    const { home, log } = this.#options
    log.warn(
      { event: 'valkey_lost', valkey: nameOfValkey(home), reason },
      'Valkey is away: this replica counts with its share'
    )
  }
}

async function begin(client: Client): Promise<string> {
  await client.connect()
  return String(await client.run('begin', [epochKey], [randomUUID()]))
}
