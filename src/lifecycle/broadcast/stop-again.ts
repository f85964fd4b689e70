import { randomUUID } from 'node:crypto'
import { subjectOfOperation, toAuditEvent } from '../../audit/ocsf.ts'
import { placeOf } from '../../domain/id.ts'
import { type Operation, ownStop } from '../../domain/operation.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Engine } from '../../store/engine/engine.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { VendorNowMs } from '../context.ts'
import type { ConfirmedStop } from '../running/verdict.ts'
import type { MeetingQueue } from './meeting-queue.ts'

export interface StopAgainDeps {
  engine: Pick<Engine, 'write'>
  operations: Pick<Operations, 'sent' | 'openStartAt' | 'unconfirmedStops'>
  auditEvents: Pick<AuditEvents, 'append'>
  queue: Pick<MeetingQueue<unknown, unknown>, 'inTurn'>
  /** @param sentAtMs on the monotonic clock */
  reconcileLater(operation: Operation, sentAtMs: number): void
  vendorNowMs: VendorNowMs
  log: { error(facts: object, message: string): void }
  clock: Clock
}

/** The key's id in operations and events that come from no key. */
const gateway = 'gateway'

/** A stop that the vendor has confirmed, and that has not ended its run. */
export type Unheeded = Pick<ConfirmedStop, 'meeting' | 'atMs' | 'dateMs'>

/**
 * Stops a meeting whose confirmed stop has not ended its run: an operation of the gateway's own, with intent and outcome on
 * record. It is sent like any other open stop, and a later start overtakes it. False when nothing will stop it: a later look may
 * ask again. @param isWanted asked when it is the meeting's turn, since the run may be over by then
 */
export type StopAgain = (stop: Unheeded, isWanted: () => Promise<boolean>) => Promise<boolean>

export function stopAgain(deps: StopAgainDeps): StopAgain {
  const { engine, operations, auditEvents, queue, reconcileLater, log, clock } = deps

  return (stop, isWanted) =>
    queue.inTurn(placeOf(stop.meeting), async () => {
      try {
        // No start may be of unknown outcome: its run would be the one that is stopped.
        if ((await operations.openStartAt(stop.meeting)) !== null) return false
        // One that is open already speaks for both, however often the vendor refuses it.
        if ((await operations.unconfirmedStops(stop.meeting)).length > 0) return true
        if (!(await isWanted())) return false
        await record(stop)
        return true
      } catch (err) {
        log.error(
          { event: 'stop_unrecorded', err, meeting_id: stop.meeting.id },
          'a stop that is to be sent again could not be recorded'
        )
        return false
      }
    })

  async function record({ meeting, atMs, dateMs }: Unheeded): Promise<void> {
    const { id: meetingId, tenantId, upstream } = meeting
    const operation = ownStop({
      ...{ tenantId, keyId: gateway, upstream, meetingId },
      requestId: `${gateway}-${randomUUID()}`,
      sentAtMs: clock.now(),
      // A run that began since the first stop is not meant by the second. A `Date` has whole seconds.
      vendorAtMs: dateMs === null ? deps.vendorNowMs(upstream, 'latest') : dateMs + 1_000
    })
    const subject = subjectOfOperation(operation, { type: 'Gateway', uid: 'stopping' })
    const intent = toAuditEvent(subject, { outcome: 'pending', type: 'still_live' }, clock.now())
    await engine.write([operations.sent(operation), auditEvents.append(intent)])
    reconcileLater(operation, atMs)
  }
}
