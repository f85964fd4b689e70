import { sql as raw } from 'kysely'
import type { PlacedMeeting } from '../../../domain/meeting.ts'
import { type Operation, switches } from '../../../domain/operation.ts'
import { compileOnce } from '../../engine/engine.ts'
import type { Store } from '../../store.ts'
import { ordinalOf, toOperation } from './look-ups.ts'

/** An operation among those of its meeting. */
type Ordered = Pick<Operation, 'id' | 'upstream'> & { meetingId: string }

const isSwitched = raw<boolean>`kind in (${raw.join(switches.map(kind => raw.lit(kind)))})`

/** Operations that came before or after others, by their ordinals. */
export function operationOrder({ engine, sql }: Store) {
  /** Starts of the meeting at the vendor account that the operation was sent to. */
  const startsBeside = ({ meetingId, upstream }: Ordered) =>
    sql
      .selectFrom('operations')
      .where('meeting_id', '=', meetingId)
      .where('upstream', '=', upstream)
      .where('kind', '=', raw.lit('start'))

  const startedAfter = compileOnce((operation: Ordered) =>
    startsBeside(operation)
      .select('state')
      .where('ordinal', '>', ordinalOf(operation.id))
      .where('state', '!=', raw.lit('failed'))
  )

  const startedBefore = compileOnce((operation: Ordered) =>
    startsBeside(operation)
      .select('vendor_at')
      .where('ordinal', '<', ordinalOf(operation.id))
      .where('state', '=', raw.lit('done'))
      .where('vendor_at', 'is not', null)
      .orderBy('ordinal', 'desc')
      .limit(raw.lit(10))
  )

  const lastSettled = compileOnce(({ id, upstream, sinceMs }: PlacedMeeting & { sinceMs: number }) =>
    sql
      .selectFrom('operations')
      .selectAll()
      .where('meeting_id', '=', id)
      .where('upstream', '=', upstream)
      .where('state', '=', raw.lit('done'))
      .where('settled_at', '>=', sinceMs)
      .where('ordinal', 'is not', null)
      .where(raw<boolean>`(kind = 'start' or confirmed_at is not null)`)
      .orderBy('ordinal', 'desc')
      .limit(raw.lit(1))
  )

  return {
    /** Whether a start of this meeting was open when this stop was written down, and may have begun something since. */
    async hadOpenStart({ id }: Operation): Promise<boolean> {
      const query = sql
        .selectFrom('operations as start')
        .innerJoin('operations as stop', 'stop.open_start_id', 'start.id')
        .select('start.id')
        .where('stop.id', '=', id)
        .where('start.state', '!=', 'failed')
      return (await engine.read(query.compile())).length > 0
    },

    /**
     * Whether a start of this meeting was sent after this operation and is `done`, or `open` and may have begun something. Null when
     * the operation has no row yet: until it has one, nothing is sent that would have to come after it (`WriteBehind.write`).
     */
    async laterStart({ id, meetingId, upstream }: Operation): Promise<'done' | 'open' | null> {
      const later = await engine.read(startedAfter({ id, meetingId: meetingId ?? '', upstream }))
      if (later.length === 0) return null
      return later.some(({ state }) => state === 'done') ? 'done' : 'open'
    },

    /** The last start of this meeting that was sent and is done; null when there is none. */
    async lastStart({ id, upstream }: PlacedMeeting): Promise<Operation | null> {
      const done = startsBeside({ id: '', meetingId: id, upstream }).selectAll().where('state', '=', raw.lit('done'))
      const [row] = await engine.read(
        done.where('ordinal', 'is not', null).orderBy('ordinal', 'desc').limit(1).compile()
      )
      return row === undefined ? null : toOperation(row)
    },

    /** Times, by the vendor's clock, of the last done starts of this meeting before this one; the last one first, ten at most. */
    async startsBefore({ id, meetingId, upstream }: Operation): Promise<number[]> {
      const rows = await engine.read(startedBefore({ id, meetingId: meetingId ?? '', upstream }))
      return rows.map(({ vendor_at }) => Number(vendor_at))
    },

    /** Starts that are done and stops that the vendor confirmed, settled since then; in their order. What was answered without being sent is none of them. */
    async settledSince(sinceMs: number): Promise<Operation[]> {
      const settled = sql
        .selectFrom('operations')
        .selectAll()
        .where('settled_at', '>=', sinceMs)
        .where('state', '=', raw.lit('done'))
        .where('ordinal', 'is not', null)
        .where(raw<boolean>`(kind = 'start' or confirmed_at is not null)`)
      // `+ 0` keeps SQLite off the index of all ordinals: that of settled_at finds these few.
      return (await engine.read(settled.orderBy(raw`ordinal + 0`).compile())).map(toOperation)
    },

    /** The last start of this meeting that is done, or stop that the vendor confirmed, if it was settled since then. */
    async lastSettledIn({ id, upstream }: PlacedMeeting, sinceMs: number): Promise<Operation | null> {
      const [row] = await engine.read(lastSettled({ id, upstream, sinceMs }))
      return row === undefined ? null : toOperation(row)
    },

    /** The last enabling or disabling of this operation's livestream that was sent later, and was not refused. */
    async laterSwitch({ id, livestreamId }: Operation): Promise<Operation | null> {
      const query = sql
        .selectFrom('operations')
        .selectAll()
        .where('livestream_id', '=', livestreamId)
        .where(isSwitched)
        .where('state', '!=', 'failed')
        .where('ordinal', '>', ordinalOf(id))
      const [row] = await engine.read(query.orderBy('ordinal', 'desc').limit(1).compile())
      return row === undefined ? null : toOperation(row)
    }
  }
}
