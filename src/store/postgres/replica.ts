import { sql as raw } from 'kysely'
import { freeTurns, type MeetingTurns } from '../../domain/meeting-turns.ts'
import type { Replicas, Standing } from '../../domain/replicas.ts'
import { Loop } from '../../domain/values/clock.ts'
import type { Row } from '../engine/engine.ts'
import { writeIf } from '../engine/engine.ts'
import { sqlFor } from '../schema/database.ts'
import { silentForMs } from '../served/patience.ts'
import { PostgresMeetingTurns } from './meeting-turns.ts'
import type { PostgresEngine } from './postgres.ts'

export interface ReplicaOptions {
  engine: PostgresEngine
  /** As many may serve the store. */
  most: number
  /** Longest call to a vendor. */
  deadlineMs: number
  /** Longest time until a start has its turn in the store. */
  writeWithinMs?: number | undefined
  monotonic(): number
  onTrouble(error: unknown): void
}

/** The row of a gateway, as a heartbeat finds it. Each of its commits, and each beat, changes the row. */
interface Member {
  id: string
  commits: number
  is_me: boolean
}

const sql = sqlFor('postgres')
const beatEveryMs = 2_000
/** A leader that dies is followed by another one within this time and a beat. */
const leaseMs = 7_000
/** Clocks of two machines do not run equally fast. */
const marginMs = 500
/** Replicas that are silent for this time, and that of a call to a vendor, are taken over from. The one gateway of a store has less time. */
const silentAfterMs = { ofMany: 10_000, ofOne: silentForMs }
/** Longer without a look, the database may have been away: then nobody could be heard. */
const mostBetweenLooksMs = 2 * beatEveryMs

const me = raw`current_setting('livegate.writer')`
const until = raw`clock_timestamp() + make_interval(secs => ${leaseMs / 1_000})`
const members = raw<Member>`select id, commits, id = ${me} as is_me from livegate_writers
  where serves order by serves_since, id`.compile(sql)
const lead = raw`insert into livegate_leases as lease (name, holder, expires_at) values ('leader', ${me}, ${until})
  on conflict (name) do update set holder = excluded.holder, expires_at = excluded.expires_at,
    fence = lease.fence + case when lease.holder = excluded.holder then 0 else 1 end
  where lease.holder = excluded.holder or lease.expires_at < clock_timestamp() returning fence`.compile(sql)

/**
 * A gateway among those of its store. Its heartbeat asks for the lead, looks who else is there, and, while it leads, sees to it that nothing
 * which a silent one would write comes to stand any more.
 */
export class PostgresReplica implements Replicas {
  readonly turns: MeetingTurns
  readonly #options: ReplicaOptions
  readonly #loop: Loop
  readonly #listeners = { lead: new Set<() => void>(), beat: new Set<() => void>() }
  #standing: Standing
  #beatenAtMs: number
  #leadsUntilMs = Number.NEGATIVE_INFINITY
  #wasLeading = false
  /** Others, and for how long their rows have not changed. */
  #others = new Map<string, { commits: number; silentMs: number }>()
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: ReplicaOptions) {
    this.#options = options
    this.turns = options.most === 1 ? freeTurns : new PostgresMeetingTurns(options)
    this.#standing = { id: options.engine.writerId, liveReplicas: 1, ordinal: 0 }
    this.#beatenAtMs = options.monotonic()
    this.#loop = new Loop({ round: () => this.beat(), everyMs: beatEveryMs, onTrouble: options.onTrouble })
  }

  start(): this {
    this.#loop.start()
    return this
  }

  get isOnly(): boolean {
    return this.#options.most === 1
  }

  standing(): Standing {
    return this.#standing
  }

  isMine(owner: string | null): boolean {
    return owner === this.#options.engine.writerId
  }

  owns(owner: string | null): boolean {
    const { most, monotonic } = this.#options
    const forMs = most > 1 ? silentAfterMs.ofMany : silentAfterMs.ofOne
    return this.isMine(owner) && monotonic() - this.#beatenAtMs < forMs - marginMs
  }

  leads(): boolean {
    return this.#options.monotonic() < this.#leadsUntilMs
  }

  onLead(listener: () => void): () => void {
    return listen(this.#listeners.lead, listener)
  }

  onBeat(listener: () => void): () => void {
    return listen(this.#listeners.beat, listener)
  }

  /** One heartbeat. @throws StoreError */
  async beat(): Promise<void> {
    const { engine, monotonic } = this.#options
    const begunAtMs = monotonic()
    const [leases = [], rows = []] = await engine.write([lead, members])
    this.#beatenAtMs = begunAtMs
    if (leases.length > 0) this.#leadsUntilMs = begunAtMs + leaseMs - marginMs
    // Silence is counted from what was seen, and not from before it was asked for.
    this.#look(rows as unknown as Member[], monotonic())
    const isLeading = this.leads()
    if (isLeading && !this.#wasLeading) tell(this.#listeners.lead)
    this.#wasLeading = isLeading
    if (!isLeading) return
    await this.#fence()
    tell(this.#listeners.beat)
  }

  /** Beats no more, and gives the lead away. @throws StoreError */
  async release(): Promise<void> {
    // A beat that hangs holds up no end.
    void this.#loop.close()
    this.#leadsUntilMs = Number.NEGATIVE_INFINITY
    const gone = raw`update livegate_writers set serves = false where id = ${me}`
    const free = raw`update livegate_leases set expires_at = clock_timestamp() where holder = ${me}`
    await this.#options.engine.write([gone.compile(sql), free.compile(sql)])
  }

  #look(rows: Member[], nowMs: number): void {
    const passedMs = Math.min(nowMs - this.#lookedAtMs, mostBetweenLooksMs)
    this.#lookedAtMs = nowMs
    const others = rows.filter(({ is_me: isMe }) => !isMe)
    this.#others = new Map(
      others.map(({ id, commits }) => {
        const before = this.#others.get(id)
        const silentMs = before?.commits === commits ? before.silentMs + passedMs : 0
        return [id, { commits, silentMs }]
      })
    )
    const ordinal = rows.findIndex(({ is_me: isMe }) => isMe)
    this.#standing = { id: this.#options.engine.writerId, liveReplicas: rows.length, ordinal: Math.max(0, ordinal) }
  }

  async #fence(): Promise<void> {
    const { engine, deadlineMs } = this.#options
    const gone = [...this.#others].filter(([, other]) => other.silentMs >= silentAfterMs.ofMany + deadlineMs)
    for (const [id, { commits }] of gone) {
      if (await writeIf(engine, [fenced(id, commits), freed(id)])) this.#others.delete(id)
    }
  }
}

/** Nothing that this writer would commit comes to stand from now on, unless it has committed something meanwhile. */
export function fenced(id: string, commits: number) {
  const fence = raw<Row>`update livegate_writers set serves = false, fenced_at = clock_timestamp()
    where id = ${id} and commits = ${commits} and serves`
  return { ...fence.compile(sql), changes: 1 }
}

/** Turns in meetings that it had. */
function freed(id: string) {
  return raw<Row>`delete from livegate_leases where holder = ${id}`.compile(sql)
}

function listen(listeners: Set<() => void>, listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

function tell(listeners: ReadonlySet<() => void>): void {
  for (const listener of listeners) listener()
}
