import { stringify } from 'csv-stringify/sync'
import type { ChainedEvent } from '../../domain/audit/audit-chain.ts'
import type { AuditEvent } from '../../domain/audit/audit-event.ts'
import { auditEventsIn } from '../../store/tables/audit/audit-events.ts'
import { type Io, type JsonOption, UsageError } from '../process/io.ts'
import { readMoment } from '../process/moment.ts'
import { tenantOf, withSnapshot } from '../process/with-store.ts'

export interface ExportOptions extends JsonOption {
  since?: string
  until?: string
  tenant?: string
  after?: string
  format: string
}

type Format = (event: ChainedEvent) => string

/** An event with its place in the chain, and its text as it is stored: all lines together prove the chain. */
const ndjson: Format = ({ seq, prevHash, hash, event }) =>
  `{"seq":${seq},"prev_hash":"${prevHash}","hash":"${hash}","event":${event}}\n`

/** An event for tools that read OCSF. The chain stands in the part that OCSF leaves open. */
const ocsf: Format = ({ seq, prevHash, hash, event }) => {
  const told = JSON.parse(event) as AuditEvent
  const metadata = { ...told.metadata, sequence: seq }
  return `${JSON.stringify({ ...told, metadata, unmapped: { ...told.unmapped, seq, prev_hash: prevHash, hash } })}\n`
}

const csvColumns = [
  'seq',
  'time',
  'tenant_id',
  'key_id',
  'actor',
  'address',
  'operation',
  'resources',
  'outcome',
  'status',
  'reason',
  'upstream_status',
  'upstream_reason',
  'duration_ms',
  'count',
  'request_id',
  'hash'
]

const csv: Format = ({ seq, hash, event }) => {
  const told = JSON.parse(event) as AuditEvent
  const { unmapped, src_endpoint, api, metadata } = told
  return csvLine([
    seq,
    new Date(told.time).toISOString(),
    unmapped.tenant_id,
    unmapped.key_id,
    told.actor.user.uid,
    src_endpoint.ip ?? src_endpoint.name,
    api.operation,
    told.resources.map(({ type, uid }) => `${type}:${uid}`).join(' '),
    unmapped.outcome,
    told.status_code,
    told.status_detail,
    unmapped.upstream_status,
    unmapped.upstream_reason,
    told.duration,
    told.count ?? 1,
    metadata.correlation_uid,
    hash
  ])
}

/** A cell that a spreadsheet would take for a formula gets an apostrophe. */
function csvLine(cells: unknown[]): string {
  return stringify([cells], { escape_formulas: true })
}

const formats: Record<string, Format> = { ndjson, ocsf, csv }

/** Prints the log in its order, a line an event, however long it is; changes nothing, also beside a running gateway. */
export async function exportAudit(
  io: Io,
  { tenant, since, until, after = '0', ...options }: ExportOptions
): Promise<void> {
  const write = readFormat(options)
  const sinceMs = since === undefined ? undefined : readMoment('--since', since)
  const untilMs = until === undefined ? undefined : readMoment('--until', until)
  if (sinceMs !== undefined && untilMs !== undefined && untilMs < sinceMs) {
    throw new UsageError('--until must not be before --since')
  }
  if (!/^\d{1,15}$/.test(after)) throw new UsageError('--after must be the number of an event')
  const afterSeq = Number(after)
  await withSnapshot(io, async store => {
    if (tenant !== undefined) await tenantOf(store, tenant)
    if (write === csv) await io.write(csvLine(csvColumns))
    for await (const events of auditEventsIn(store).walk({ afterSeq, sinceMs, untilMs, tenantId: tenant })) {
      await io.write(events.map(write).join(''))
    }
  })
}

/** Reads the format; `--json`, which every command has, is one of them here. */
function readFormat({ format, json }: Pick<ExportOptions, 'format' | 'json'>): Format {
  const write = Object.hasOwn(formats, format) ? formats[format] : undefined
  if (write === undefined) throw new UsageError(`--format must be one of ${Object.keys(formats).join(', ')}`)
  if (json && write !== ndjson) throw new UsageError('--json is --format ndjson: give one of them')
  return write
}
