import { sql as raw } from 'kysely'
import type { PlacedMeeting } from '../../../domain/meeting.ts'
import type { Operation, OperationKind } from '../../../domain/operation.ts'
import { compileOnce } from '../../engine/compile-once.ts'
import type { Store } from '../../store.ts'
import { isOpen, toOperation } from './rows.ts'

/** Filter of a list of operations, the newest first. */
export interface OperationFilter {
  open?: boolean | undefined
  tenantId?: string | undefined
  limit: number
}

/** Operations by their id, their key or their state. */
export function operationLookUps({ engine, sql }: Store) {
  const open = sql.selectFrom('operations').selectAll().where(isOpen)

  // One query for each kind: with a parameter for it SQLite would plan the query anew whenever it changes.
  const openOf = (kind: OperationKind, meetingId: string) =>
    open.where('meeting_id', '=', meetingId).where('kind', '=', raw.lit(kind))
  const openStarts = compileOnce(({ meetingId }: { meetingId: string }) => openOf('start', meetingId))
  const openStops = compileOnce(({ id, upstream }: PlacedMeeting) =>
    openOf('stop', id).where('upstream', '=', upstream).orderBy('ordinal')
  )

  const openStart = async (meetingId: string): Promise<Operation | null> => {
    const [row] = await engine.read(openStarts({ meetingId }))
    return row === undefined ? null : toOperation(row)
  }

  return {
    async find(id: string): Promise<Operation | null> {
      const [row] = await engine.read(sql.selectFrom('operations').selectAll().where('id', '=', id).compile())
      return row === undefined ? null : toOperation(row)
    },

    /** The one that was sent under this key, whatever became of it. */
    async findByKey(keyFingerprint: string): Promise<Operation | null> {
      const query = sql.selectFrom('operations').selectAll().where('idempotency_fingerprint', '=', keyFingerprint)
      const [row] = await engine.read(query.compile())
      return row === undefined ? null : toOperation(row)
    },

    /** The stops of this meeting that nobody has confirmed, and that are being repeated; the oldest first. */
    async unconfirmedStops({ id, upstream }: PlacedMeeting): Promise<Operation[]> {
      const rows = await engine.read(openStops({ id, upstream }))
      return rows.filter(({ state }) => state === 'unknown').map(toOperation)
    },

    /** Lists operations for the CLI. */
    async list({ open: onlyOpen, tenantId, limit }: OperationFilter): Promise<Operation[]> {
      let wanted = onlyOpen ? open : sql.selectFrom('operations').selectAll()
      if (tenantId !== undefined) wanted = wanted.where('tenant_id', '=', tenantId)
      const rows = await engine.scan(wanted.orderBy('sent_at', 'desc').limit(limit).compile())
      return rows.map(toOperation)
    },

    /** Operations whose outcome is not known; after a restart also those that were under way when the last process ended. */
    async unsettled(): Promise<Operation[]> {
      // Sorted, since they are few: in the order of the index of all ordinals SQLite would walk through what is settled.
      return (await engine.read(open.orderBy(raw`ordinal + 0`).compile())).map(toOperation)
    },

    /** The start of this meeting whose outcome is not known, if there is one; by the index there is one at most. */
    openStart,

    /** The same, where it was sent to the vendor account that the meeting is at: another account's says nothing of what runs here. */
    async openStartAt({ id, upstream }: PlacedMeeting): Promise<Operation | null> {
      const start = await openStart(id)
      return start?.upstream === upstream ? start : null
    },

    /** The meetings that have such a start. For the CLI only. */
    async meetingsWithOpenStart(): Promise<string[]> {
      const rows = await engine.read(open.compile())
      return rows.filter(({ kind }) => kind === 'start').map(row => String(row.meeting_id))
    }
  }
}
