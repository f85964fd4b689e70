import { setTimeout as sleep } from 'node:timers/promises'
import { sql as raw } from 'kysely'
import type { MeetingTurn, MeetingTurns, TurnKind } from '../../domain/meeting-turns.ts'
import { type Engine, StoreError } from '../engine/engine.ts'
import { sqlFor } from '../schema/database.ts'

export interface MeetingTurnsOptions {
  engine: Pick<Engine, 'read' | 'write'>
  /** Longest call to a vendor: a start has looks and a call, and may find another one to be reconciled. */
  deadlineMs: number
  /** Longest time until a start has its turn in the store (900 ms). */
  writeWithinMs?: number | undefined
  monotonic(): number
  onTrouble(error: unknown): void
}

const sql = sqlFor('postgres')
const me = raw`current_setting('livegate.writer')`
const lookEveryMs = 50
/** A stop waits no longer than this for a store that hangs. */
const answeredWithinMs = 250

/** Turns in meetings, as rows that expire by the database's clock. */
export class PostgresMeetingTurns implements MeetingTurns {
  readonly #options: MeetingTurnsOptions
  readonly #lastsMs: number

  constructor(options: MeetingTurnsOptions) {
    this.#options = options
    this.#lastsMs = 3 * options.deadlineMs + 5_000
  }

  async take(place: string, kind: TurnKind, waitMs: Readonly<Record<TurnKind, number>>): Promise<MeetingTurn | null> {
    const { engine, monotonic, writeWithinMs = 900 } = this.#options
    const name = `meeting ${place}`
    const startedAtMs = monotonic()
    const until = raw`clock_timestamp() + make_interval(secs => ${this.#lastsMs / 1_000})`
    const claim = raw<{ fence: number }>`insert into livegate_leases as lease (name, holder, kind, expires_at)
      values (${name}, ${me}, ${kind}, ${until})
      on conflict (name) do update set holder = excluded.holder, kind = excluded.kind, expires_at = excluded.expires_at,
        fence = lease.fence + 1
      where lease.holder = excluded.holder or lease.expires_at < clock_timestamp() returning fence`
    const others = raw<{ kind: TurnKind }>`select kind from livegate_leases
      where name = ${name} and expires_at >= clock_timestamp()`
    const withinMs = kind === 'start' ? writeWithinMs : answeredWithinMs
    const ask = async (): Promise<MeetingTurn | null> => {
      const askedAtMs = monotonic()
      const [rows] = await engine.write([claim.compile(sql)], { withinMs })
      const fence = rows?.[0]?.fence
      return fence === undefined ? null : this.#held(name, Number(fence), askedAtMs + this.#lastsMs)
    }
    for (;;) {
      const taken = ask()
      const turn = await inTime(taken, withinMs).catch(error => {
        // It may be had after nobody waits for it any more.
        taken.then(late => late?.end()).catch(() => {})
        throw error
      })
      if (turn !== null) return turn
      for (;;) {
        const [other] = await inTime(engine.read(others.compile(sql)), withinMs)
        if (other === undefined) break
        if (monotonic() - startedAtMs >= waitMs[other.kind]) return null
        await sleep(lookEveryMs)
      }
    }
  }

  #held(name: string, fence: number, untilMs: number): MeetingTurn {
    const { engine, monotonic, onTrouble } = this.#options
    return {
      lastsFor: ms => monotonic() + ms < untilMs,
      end() {
        const mine = raw`delete from livegate_leases where name = ${name} and holder = ${me} and fence = ${fence}`
        engine.write([mine.compile(sql)]).catch(onTrouble)
      }
    }
  }
}

/** @throws StoreError when the store does not answer within this time; what it throws before */
async function inTime<T>(answer: Promise<T>, withinMs: number): Promise<T> {
  const over = new AbortController()
  const late = sleep(withinMs, undefined, { signal: over.signal, ref: false }).then(() => {
    throw new StoreError('the store does not answer in time')
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    over.abort()
    late.catch(() => {})
  }
}
