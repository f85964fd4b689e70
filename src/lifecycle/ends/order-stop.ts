import { randomUUID } from 'node:crypto'
import { subjectOfOperation, toAuditEvent } from '../../audit/ocsf.ts'
import { type Operation, ownStop } from '../../domain/operation.ts'
import type { Replicas } from '../../domain/replicas.ts'
import type { Run, RunEnder } from '../../domain/runs/run.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { AuditEvents } from '../../store/tables/audit/audit-events.ts'
import type { Operations } from '../../store/tables/operations.ts'
import type { VendorNowMs } from '../context.ts'
import type { ReconcileLoop } from '../operations/reconcile-loop.ts'
import type { ChangeEnd } from './change-end.ts'

export interface OrderStopDeps {
  changeEnd: ChangeEnd
  operations: Pick<Operations, 'sent' | 'unconfirmedStops'>
  auditEvents: Pick<AuditEvents, 'append'>
  reconcileLoop: Pick<ReconcileLoop, 'add' | 'now'>
  /** Has it sent at once, and then repeated until it is confirmed. @param sentAtMs on the monotonic clock */
  repeat(operation: Operation, sentAtMs: number): void
  vendorNowMs: VendorNowMs
  clock: Clock
  replicas?: Pick<Replicas, 'isMine'>
}

/**
 * Orders the stop of one run: an operation of the gateway's own, whose row, intent and cause stand in the transaction that marks the
 * run. It is sent like any open stop until the run is over, and never to another run (`named-run.ts`). One that is open already speaks
 * for both. @param isWanted asked of the run as it is when the order is written. @throws what the store throws
 */
export type OrderStop = (run: Run, cause: RunEnder, isWanted?: (now: Run) => boolean) => Promise<void>

export function orderStop(deps: OrderStopDeps): OrderStop {
  const { changeEnd, operations, auditEvents, reconcileLoop, repeat, vendorNowMs, clock, replicas } = deps

  return async (run, cause, isWanted = () => true) => {
    const { id: runId, upstream, meetingId } = run
    if (meetingId === null) return
    const open = await operations.unconfirmedStops({ id: meetingId, upstream })
    const before = open.find(stop => stop.runId === runId)
    if (before !== undefined) {
      // Another replica sends it, or will be taken over from.
      if (replicas?.isMine(before.owner) === false) return
      reconcileLoop.add(before)
      return void reconcileLoop.now(before.id)
    }
    let ordered: Operation | null = null
    await changeEnd(run, now => {
      ordered = isWanted(now) ? operationFor(now, cause) : null
      if (ordered === null) return null
      const subject = subjectOfOperation(ordered, { type: 'Gateway', uid: 'ending' })
      const intent = toAuditEvent(subject, { outcome: 'pending', type: cause }, clock.now())
      return { change: { endingBy: cause }, also: [operations.sent(ordered), auditEvents.append(intent)] }
    })
    if (ordered !== null) repeat(ordered, clock.monotonic())
  }

  function operationFor({ id: runId, tenantId, upstream, meetingId, livestreamId }: Run, cause: RunEnder): Operation {
    return ownStop({
      ...{ tenantId, keyId: 'gateway', upstream, meetingId, livestreamId, runId, cause },
      requestId: `gateway-${randomUUID()}`,
      sentAtMs: clock.now(),
      vendorAtMs: vendorNowMs(upstream, 'latest')
    })
  }
}
