import { subjectOfOperation, toAuditEvent } from '../audit/ocsf.ts'
import { isRepeated, type Operation } from '../domain/operation.ts'
import { failureBody, Resolved } from '../domain/refusals/failures.ts'
import { meetingOf } from '../lifecycle/operations/operation-ends.ts'
import { followedForMs } from '../lifecycle/running/verdict.ts'
import { writeIf } from '../store/engine/engine.ts'
import { operationsIn } from '../store/tables/operations.ts'
import { CommandError, type Io, type JsonOption, print, table, UsageError, when } from './process/io.ts'
import { tenantOf, withAudit, withSnapshot } from './process/with-store.ts'

export interface OperationListOptions extends JsonOption {
  open?: boolean
  tenant?: string
  limit: string
}

/** Lists the calls that went to the vendor, the newest first. With `--open` it shows only those that a person should look after. */
export async function listOperations(io: Io, options: OperationListOptions): Promise<void> {
  const { open, tenant, limit: text } = options
  const limit = /^[1-9]\d{0,5}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(limit)) throw new UsageError('--limit must be a whole number from 1 to 999999')
  const operations = await withSnapshot(io, async store => {
    if (tenant !== undefined) await tenantOf(store, tenant)
    return operationsIn(store).list({ open, tenantId: tenant, limit })
  })
  const rows = operations.map(({ id, tenantId, kind, meetingId, state, sentAtMs }) => [
    id,
    tenantId,
    kind,
    meetingId ?? '-',
    state,
    when(sentAtMs)
  ])
  const none = open ? 'no open operations' : 'no operations'
  print(
    io,
    options,
    operations.map(shown),
    table([['id', 'tenant', 'kind', 'meeting', 'state', 'sent'], ...rows], none)
  )
}

/** Shows all that is known of an operation, but for the fingerprint of its idempotency key: that is the caller's own. */
export async function showOperation(io: Io, id: string, options: JsonOption): Promise<void> {
  const operation = await withSnapshot(io, store => operationsIn(store).find(id))
  if (operation === null) throw new CommandError(`there is no operation ${id}`)
  const { answer } = operation
  const facts = {
    ...shown(operation),
    upstream: operation.upstream,
    key_id: operation.keyId,
    has_idempotency_key: operation.idempotency !== null,
    vendor_at: iso(operation.vendorAtMs),
    sent_again_at: iso(operation.sentAgainAtMs),
    open_start_id: operation.openStartId,
    cause: operation.cause,
    upstream_status: operation.upstreamStatus,
    reason: operation.reason
  }
  // A whole answer fits in no table.
  const rows = Object.entries({ ...facts, answer_status: answer?.status ?? null })
  const text = table([['field', 'value'], ...rows.map(([name, value]) => [name, String(value ?? '-')])], '')
  print(io, options, { ...facts, answer }, text)
}

/** Ends an operation whose outcome only a person can find out; its meeting is free again. */
export async function resolveOperation(io: Io, id: string, outcome: string, options: JsonOption): Promise<void> {
  const isStopRepeating = outcome === 'stop-repeating'
  const state = isStopRepeating ? 'failed' : (['done', 'failed'] as const).find(known => known === outcome)
  if (state === undefined) throw new UsageError('the outcome must be done, failed or stop-repeating')
  const resolved = await withAudit(io, async ({ store, audited, worker, record }) => {
    const operations = operationsIn(store)
    const operation = await operations.find(id)
    if (operation === null) throw new CommandError(`there is no operation ${id}`)
    if (operation.state === 'sent')
      throw new CommandError(`${id} is under way: a gateway must serve, or have restarted, first`)
    if (operation.state !== 'unknown') throw new CommandError(`${id} is settled: ${operation.state}`)
    if (isStopRepeating && !isRepeated(operation.kind))
      throw new CommandError(`${id} is not repeated: say done or failed`)
    const nowMs = Date.now()
    const message = isStopRepeating
      ? 'An operator has ended its repetition: what it was to stop may go on. Use a new idempotency key for another try'
      : `An operator has settled this as ${state}: use a new idempotency key for another try`
    const failure = new Resolved({ message, ...(state === 'failed' && { outcome: 'failed' as const }) })
    // The caller of a stop that is watched has had an answer, and keeps it.
    const answer = (operation.kind === 'stop' ? operation.answer : null) ?? {
      status: failure.status,
      body: { error: failureBody(failure, operation.requestId) }
    }
    const how = { state, answer } as const
    const resources = [{ type: 'operation' as const, uid: id }]
    // The run may go on now: earlier confirmed stops are not followed up any more, after a restart either.
    const goesOn = operation.kind === 'stop' && state === 'failed'
    const written = await writeIf(store.engine, [
      { ...operations.ended(id, how, nowMs), changes: 1 },
      ...(goesOn ? [operations.overruled(meetingOf(operation), nowMs - followedForMs)] : []),
      audited.events.append(
        toAuditEvent(
          subjectOfOperation(operation, worker.actor),
          { outcome: state, type: isStopRepeating ? 'repetition_ended' : 'resolved' },
          nowMs
        )
      ),
      record({ action: 'resolveOperation', method: 'PUT', tenantId: operation.tenantId, resources })
    ])
    if (!written) throw new CommandError(`${id} has just been settled by the gateway`)
    return { ...operation, ...how, settledAtMs: nowMs }
  })
  print(io, options, shown(resolved), `resolved ${id}: ${outcome}`)
}

function shown({ id, tenantId, kind, meetingId, livestreamId, state, requestId, sentAtMs, settledAtMs }: Operation) {
  return {
    id,
    tenant_id: tenantId,
    kind,
    meeting_id: meetingId,
    livestream_id: livestreamId,
    state,
    request_id: requestId,
    sent_at: iso(sentAtMs),
    settled_at: iso(settledAtMs)
  }
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
