import { setTimeout as sleep } from 'node:timers/promises'
import { sql as raw } from 'kysely'
import type { MeetingTurn, MeetingTurns, TurnKind } from '../../domain/meeting-turns.ts'
import type { Engine } from '../engine/engine.ts'
import { sqlFor } from '../schema/database.ts'

export interface MeetingTurnsOptions {
  engine: Pick<Engine, 'read' | 'write'>
  /** Longest call to a vendor: a start has looks and a call, and may find another one to be reconciled. */
  deadlineMs: number
  monotonic(): number
  onTrouble(error: unknown): void
}

const sql = sqlFor('postgres')
const me = raw`current_setting('livegate.writer')`
const lookEveryMs = 50
/** One that cannot be asked for within this time, or that of the wait, is not had. */
const takenWithinMs = 250

/** Turns in meetings, as rows that expire by the database's clock. */
export class PostgresMeetingTurns implements MeetingTurns {
  readonly #options: MeetingTurnsOptions
  readonly #lastsMs: number

  constructor(options: MeetingTurnsOptions) {
    this.#options = options
    this.#lastsMs = 3 * options.deadlineMs + 5_000
  }

  async take(place: string, kind: TurnKind, waitMs: Readonly<Record<TurnKind, number>>): Promise<MeetingTurn | null> {
    const { engine, monotonic } = this.#options
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
    for (;;) {
      const askedAtMs = monotonic()
      const [rows] = await engine.write([claim.compile(sql)], { withinMs: Math.max(takenWithinMs, waitMs.stop) })
      const fence = rows?.[0]?.fence
      if (fence !== undefined) return this.#held(name, Number(fence), askedAtMs + this.#lastsMs)
      for (;;) {
        const [other] = await engine.read(others.compile(sql))
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
