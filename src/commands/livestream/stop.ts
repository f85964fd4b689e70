import { randomUUID } from 'node:crypto'
import type { Worker } from '../../audit/ocsf.ts'
import type { AuditResource } from '../../domain/audit/audit-event.ts'
import { isVendorId } from '../../domain/id.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import { meetingsIn } from '../../store/tables/meetings.ts'
import { type NewStopOrder, type StopReason, stopOrdersIn } from '../../store/tables/runs/stop-orders.ts'
import { CommandError, type Io, type JsonOption, UsageError } from '../process/io.ts'
import { type Recording, tenantOf, withAudit } from '../process/with-store.ts'
import { seeThrough } from './see-through.ts'
import { tell } from './tell.ts'

export interface WaitOption extends JsonOption {
  wait: string
}

export interface StopOptions extends WaitOption {
  all?: boolean
  tenant?: string
}

/** Stops one meeting, or all that is live: gives the order, and waits until it is carried out. */
export async function stopLivestreams(io: Io, meetingId: string | undefined, options: StopOptions): Promise<void> {
  const { all = false, tenant } = options
  if ((meetingId === undefined) !== all) throw new UsageError('give a meeting id or --all, one of them')
  if (tenant !== undefined && !all) throw new UsageError('--tenant goes with --all')
  if (meetingId !== undefined && !isVendorId(meetingId))
    throw new UsageError('meeting id: not an id of the provider (letters, digits, - and _, at most 64)')
  const waitMs = readWait(options)
  const orderId = await withAudit(io, async recording => {
    const { store, record, worker } = recording
    const meeting = meetingId === undefined ? null : await meetingOf(recording, meetingId)
    if (tenant !== undefined) await tenantOf(store, tenant)
    const tenantId = tenant ?? meeting?.tenantId ?? null
    const order = newOrder('operator', tenantId, worker)
    const stops = meeting && [{ ...placeOf(meeting), orderId: order.id, livestreamId: null, runId: null }]
    const resources: AuditResource[] = [
      ...(tenantId === null ? [] : [{ type: 'tenant' as const, uid: tenantId }]),
      ...(meeting === null ? [] : [{ type: 'meeting' as const, uid: meeting.id }])
    ]
    const given = stopOrdersIn(store).give(order, stops)
    await store.engine.write([...given, record({ action: 'orderStop', method: 'POST', tenantId, resources })])
    return order.id
  })
  tell(io, options, await seeThrough(io, orderId, waitMs))
}

/** An order to stop, by whoever calls. */
export function newOrder(reason: StopReason, tenantId: string | null, worker: Worker): NewStopOrder {
  const { actor, requestId } = worker
  return { id: randomUUID(), reason, tenantId, operator: actor.uid, requestId, createdAtMs: Date.now() }
}

/** Milliseconds. @throws UsageError */
export function readWait({ wait }: WaitOption): number {
  if (!/^\d{1,5}$/.test(wait)) throw new UsageError('--wait must be a whole number of seconds, from 0 to 99999')
  return Number(wait) * 1_000
}

async function meetingOf({ store }: Pick<Recording, 'store'>, id: string): Promise<OwnedMeeting> {
  const meeting = await meetingsIn(store).ownerOf(id)
  if (meeting === null) throw new CommandError(`nobody has the meeting ${id}: \`meeting assign\` gives it to a tenant`)
  return meeting
}

function placeOf({ id, tenantId, upstream }: OwnedMeeting) {
  return { tenantId, upstream, meetingId: id, place: id }
}
