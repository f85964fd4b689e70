import { readFile } from 'node:fs/promises'
import { isVendorId } from '../domain/id.ts'
import { livestreamsIn } from '../store/livestreams.ts'
import { meetingsIn } from '../store/meetings.ts'
import { operationsIn } from '../store/operations.ts'
import type { Store } from '../store/store.ts'
import { tenantsIn } from '../store/tenants.ts'
import { CommandError, type Io, type JsonOption, print, table, UsageError } from './io.ts'
import { withStore } from './with-store.ts'

export interface AssignOptions extends JsonOption {
  file?: string
  force?: boolean
}

/** Makes meetings of the vendor account the tenant's. One that another tenant holds must be released first. */
export async function assignMeetings(
  io: Io,
  tenantId: string,
  meetingId: string | undefined,
  options: AssignOptions
): Promise<void> {
  const ids = await readIds(meetingId, options.file)
  const results = await withStore(io, async store => {
    const tenant = await tenantsIn(store).find(tenantId)
    if (tenant === null) throw new CommandError(`there is no tenant ${tenantId}`)
    return meetingsIn(store).assign(tenantId, tenant.upstream, ids, Date.now())
  })
  const taken = ids.filter(id => results.get(id) === 'taken')
  const counts = { assigned: count(results, 'assigned'), unchanged: count(results, 'unchanged'), taken }
  print(
    io,
    options,
    { tenant_id: tenantId, ...counts },
    `${counts.assigned} assigned to ${tenantId}, ${counts.unchanged} were its own already`
  )
  if (taken.length > 0) {
    const named = taken.slice(0, 5).join(', ') + (taken.length > 5 ? ', …' : '')
    throw new CommandError(
      `${taken.length} not assigned, another tenant has them (livegate meeting release <id>): ${named}`
    )
  }
}

/** Takes a meeting from its tenant; from then on nobody can start, see or stop what runs in it through Livegate. */
export async function releaseMeeting(io: Io, id: string, options: AssignOptions): Promise<void> {
  const meetingId = readId(id, 'meeting id')
  await withStore(io, async store => {
    if (options.force !== true) await refuseLive(store, meetingId)
    if (!(await meetingsIn(store).release(meetingId, Date.now())))
      throw new CommandError(`nobody has the meeting ${meetingId}`)
  })
  print(io, options, { id: meetingId, released: true }, `released ${meetingId}`)
}

export async function listMeetings(io: Io, tenantId: string | undefined, options: JsonOption): Promise<void> {
  const meetings = await withStore(io, store => meetingsIn(store).listAll(tenantId))
  const rows = meetings.map(meeting => [meeting.id, meeting.tenantId, meeting.upstream])
  const values = meetings.map(meeting => ({ id: meeting.id, tenant_id: meeting.tenantId, upstream: meeting.upstream }))
  print(io, options, values, table([['id', 'tenant', 'upstream'], ...rows], 'no meetings are assigned'))
}

/** As far as Livegate has seen: a livestream that runs, or a start whose outcome is open. */
async function refuseLive(store: Store, meetingId: string): Promise<void> {
  const owner = await meetingsIn(store).ownerOf(meetingId)
  if (owner === null) return
  const running = await livestreamsIn(store).unfinished(owner.tenantId, { meetingId, limit: 1 })
  const starting = await operationsIn(store).openStart(meetingId)
  if (running.length === 0 && starting === null) return
  throw new CommandError(
    `the meeting ${meetingId} is live, or was when it was last seen: stop it first, or give --force`
  )
}

async function readIds(meetingId: string | undefined, file: string | undefined): Promise<string[]> {
  if ((meetingId === undefined) === (file === undefined))
    throw new UsageError('give a meeting id or --file <ids.txt>, one of them')
  if (meetingId !== undefined) return [readId(meetingId, 'meeting id')]
  const text = await readFile(file as string, 'utf8').catch(() => {
    throw new CommandError(`--file: ${file} cannot be read`)
  })
  const lines = text.split(/\r?\n/).map(line => line.replace(/#.*/, '').trim())
  const ids = lines.flatMap((line, i) => (line === '' ? [] : [readId(line, `line ${i + 1}`)]))
  if (ids.length === 0) throw new CommandError(`--file: ${file} has no meeting ids`)
  return [...new Set(ids)]
}

/** UUIDs are kept in lower case, as the vendor writes them: one meeting must not be two because of a letter's case. */
function readId(text: string, what: string): string {
  if (!isVendorId(text))
    throw new UsageError(`${what}: not an id of the provider (letters, digits, - and _, at most 64)`)
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : text
}

function count(results: Map<string, string>, wanted: string): number {
  return [...results.values()].filter(result => result === wanted).length
}
