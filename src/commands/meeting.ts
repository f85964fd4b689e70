import { readFile } from 'node:fs/promises'
import { ConfigError } from '../config/config.ts'
import { inEvents } from '../domain/audit/audit-event.ts'
import { isVendorId } from '../domain/id.ts'
import { Failure } from '../domain/refusals/failures.ts'
import type { Statement } from '../store/engine/engine.ts'
import type { Store } from '../store/store.ts'
import { livestreamsIn } from '../store/tables/livestreams.ts'
import { meetingsIn } from '../store/tables/meetings.ts'
import { operationsIn } from '../store/tables/operations.ts'
import { CommandError, type Io, type JsonOption, print, table, UsageError } from './process/io.ts'
import { checkDedication, checkUpstream, withUpstream } from './process/upstream-accounts.ts'
import { tenantOf, withAudit, withSnapshot } from './process/with-store.ts'

export interface AssignOptions extends JsonOption {
  file?: string
  upstream?: string
  force?: boolean
}

/**
 * Makes meetings of the vendor account the tenant's. One that another tenant holds must be released first; one that is live
 * needs `--force`, since the tenant could stop and see what somebody else has begun.
 */
export async function assignMeetings(
  io: Io,
  tenantId: string,
  meetingId: string | undefined,
  options: AssignOptions
): Promise<void> {
  const spelled = await readIds(meetingId, options.file)
  const given = options.upstream
  if (given !== undefined) checkUpstream(io, tenantId, given)
  const { ids, results, live } = await withAudit(io, async ({ store, record }) => {
    const tenant = await tenantOf(store, tenantId)
    const meetings = meetingsIn(store)
    const ids = await meetings.asStored(spelled)
    const owned = new Set((await meetings.listAll()).map(({ id }) => id))
    const free = ids.filter(id => !owned.has(id))
    const [only] = free
    const at = given ?? (only && (await meetings.upstreamOf(only))) ?? tenant.upstream
    checkDedication(io, tenantId, at)
    const seen = options.force
      ? []
      : await seenLive(store, free, meetingId === undefined ? null : { io, at, mustExist: true })
    const live = new Set(seen)
    const wanted = ids.filter(id => !live.has(id))
    const recordAll = (assigned: string[]): Statement[] =>
      inEvents(assigned).map(group => {
        const resources = [{ type: 'tenant' as const, uid: tenantId }, ...group.map(meetingResource)]
        return record({ action: 'assignMeeting', method: 'POST', tenantId, resources })
      })
    const place = given ?? tenant.upstream
    const isThere = given !== undefined
    return { ids, live, results: await meetings.assign(tenantId, place, wanted, Date.now(), recordAll, isThere) }
  })
  const taken = ids.filter(id => results.get(id) === 'taken')
  const counts = { assigned: count(results, 'assigned'), unchanged: count(results, 'unchanged') }
  print(
    io,
    options,
    { tenant_id: tenantId, ...counts, taken, live: [...live] },
    `${counts.assigned} assigned to ${tenantId}, ${counts.unchanged} were its own already`
  )
  const problems = [
    ...(taken.length > 0 ? [`another tenant has (livegate meeting release <id>): ${some(taken)}`] : []),
    ...(live.size > 0 ? [`${liveNow}: ${some([...live])}`] : [])
  ]
  if (problems.length > 0) {
    throw new CommandError(`${taken.length + live.size} not assigned; ${problems.join('; ')}`)
  }
}

/** Takes a meeting from its tenant; from then on nobody can start, see or stop what runs in it through Livegate. */
export async function releaseMeeting(io: Io, id: string, options: AssignOptions): Promise<void> {
  const given = readId(id, 'meeting id')
  const meetingId = await withAudit(io, async ({ store, record }) => {
    const meetings = meetingsIn(store)
    const owner = await meetings.ownerOf(given)
    if (owner === null) throw new CommandError(`nobody has the meeting ${given}`)
    const meetingId = owner.id
    const live = options.force ? [] : await seenLive(store, [meetingId], { io, at: owner.upstream, mustExist: false })
    if (live.length > 0) throw new CommandError(`not released; ${liveNow}: ${meetingId}`)
    const resources = [meetingResource(meetingId)]
    const event = record({ action: 'releaseMeeting', method: 'DELETE', tenantId: owner.tenantId, resources })
    await meetings.release(meetingId, Date.now(), event)
    return meetingId
  })
  print(io, options, { id: meetingId, released: true }, `released ${meetingId}`)
}

export async function listMeetings(io: Io, tenantId: string | undefined, options: JsonOption): Promise<void> {
  const meetings = await withSnapshot(io, async store => {
    if (tenantId !== undefined) await tenantOf(store, tenantId)
    return meetingsIn(store).listAll(tenantId)
  })
  const rows = meetings.map(meeting => [meeting.id, meeting.tenantId, meeting.upstream])
  const values = meetings.map(meeting => ({ id: meeting.id, tenant_id: meeting.tenantId, upstream: meeting.upstream }))
  print(io, options, values, table([['id', 'tenant', 'upstream'], ...rows], 'no meetings are assigned'))
}

function meetingResource(uid: string) {
  return { type: 'meeting' as const, uid }
}

const liveNow = 'live, or so when last seen (stop first, or give --force)'

/**
 * Finds those of the meetings that are live, as Livegate saw them last. With `askFor` and a single meeting the vendor's word counts. A
 * run that is only just starting always counts, because a vendor may not show it yet.
 * @throws CommandError when the vendor has no such meeting and it must exist
 */
async function seenLive(store: Store, ids: string[], askFor: AskFor | null): Promise<string[]> {
  const starting = new Set(await operationsIn(store).meetingsWithOpenStart())
  const seen = await livestreamsIn(store).unfinishedMeetings()
  const [only] = ids
  const told = askFor === null || only === undefined ? null : await askVendor(askFor, only)
  return ids.filter(id => starting.has(id) || seen.get(id) === 'INVOKED' || (told ?? seen.has(id)))
}

const askWithinMs = 5_000

/** The vendor account to ask, and whether it must have the meeting. */
interface AskFor {
  io: Io
  at: string
  mustExist: boolean
}

/** Null when the vendor can't be asked, which is no reason not to go on, but is said. */
async function askVendor({ io, at, mustExist }: AskFor, meetingId: string): Promise<boolean | null> {
  try {
    return await withUpstream(io, at, askWithinMs, async upstream => {
      const vendor = upstream.on({ tenantId: 'operator', priority: 'read' })
      const signal = AbortSignal.timeout(askWithinMs)
      if ((await vendor.findActive(meetingId, signal)) !== null) return true
      if ((await vendor.findMeeting(meetingId, signal)) === null) {
        const missing = `the provider has no meeting ${meetingId}`
        if (mustExist) throw new CommandError(`not assigned; ${missing} (--force assigns it all the same)`)
        io.err(`livegate: note: ${missing}`)
      }
      return false
    })
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof Failure)) throw error
    io.err(`livegate: note: the provider could not be asked whether ${meetingId} is live (${error.message})`)
    return null
  }
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
  return ids
}

function readId(text: string, what: string): string {
  if (!isVendorId(text))
    throw new UsageError(`${what}: not an id of the provider (letters, digits, - and _, at most 64)`)
  return text
}

function count(results: Map<string, string>, wanted: string): number {
  return [...results.values()].filter(result => result === wanted).length
}

/** The first few, so that a message stays one line that people read. */
function some(ids: string[]): string {
  return ids.slice(0, 5).join(', ') + (ids.length > 5 ? ', …' : '')
}
