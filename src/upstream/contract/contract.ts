import { type Static, type TSchema, Type } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { isSameId, isVendorId, LivestreamId } from '../../domain/id.ts'
import { isRunning, type LivestreamWithKey } from '../../domain/livestream.ts'
import { Failure, type FailureOptions, UpstreamMalformed } from '../../domain/refusals/failures.ts'
import type { VendorAnswer } from '../transport/call.ts'
import { figureOf, pagingOf } from './figures.ts'

/**
 * Parts of the vendor's answers that we read: the fields that we use are checked, all others are ignored. Both contracts fit
 * (contract#two-contracts), and both forms in which L2 is published (contract#two-published-forms).
 */
export const Text = Type.Union([Type.String(), Type.Null()])
/** Read by `figures.ts`: what is wrong with a figure, or with paging, makes nothing else unreadable. */
export const Figure = Type.Optional(Type.Unknown())
export const Beside = Type.Optional(Type.Unknown())
/** An answer in which nothing but paging tells an empty page from something else. */
export const PagingAlone = Type.Object({ paging: Type.Object({}) })

const VendorStatus = Type.String({ minLength: 1, maxLength: 32 })
export const VendorLivestream = Type.Object({
  // A livestream with an id of another form could not be asked for by it.
  id: LivestreamId,
  status: VendorStatus,
  name: Type.Optional(Text),
  meeting_id: Type.Optional(Text),
  ingest_server: Type.Optional(Text),
  stream_key: Type.Optional(Text),
  playback_url: Type.Optional(Text),
  disabled: Type.Optional(Type.Union([Type.Boolean(), Type.String(), Type.Null()])),
  manual_ingest: Type.Optional(Type.Unknown()),
  created_at: Type.Optional(Text),
  updated_at: Type.Optional(Text)
})

export const Envelope = <X extends TSchema>(data: X) =>
  Type.Object({ success: Type.Optional(Type.Literal(true)), data, paging: Beside })

export function reader<X extends TSchema>(schema: X): (body: unknown) => Static<X> {
  let check: Validator<Record<never, never>, X> | undefined
  return body => {
    // At its first use: all of them took a tenth of a start.
    check ??= Compile(schema)
    if (check.Check(body)) return body as Static<X>
    const [first] = check.Errors(body)
    throw new UpstreamMalformed({ cause: new Error(`at ${first?.instancePath || '/'}: ${first?.message}`) })
  }
}

const livestreamAnswer = reader(Envelope(VendorLivestream))
const startedAnswer = reader(
  Envelope(
    Type.Object({ ...VendorLivestream.properties, status: Type.Optional(Type.Union([VendorStatus, Type.Null()])) })
  )
)
/** A success that shows nothing. The edge's envelope has `errors`, and says nothing of a livestream. */
const isBlank = Compile(
  Type.Object({
    success: Type.Literal(true),
    data: Type.Optional(Type.Union([Type.Null(), Type.Object({}, { additionalProperties: false })])),
    errors: Type.Optional(Type.Never())
  })
)
/** An entry of a list, which `entriesOf` reads. */
const Entry = Type.Unknown()
const livestreamsAnswer = reader(
  Envelope(
    Type.Union([
      Type.Array(Entry),
      Type.Object({ livestreams: Type.Array(Entry), total_count: Figure, total: Figure }), // L1
      Type.Object({ id: Entry, paging: Beside }), // L2 as its schema has it: one object beside `paging`
      PagingAlone
    ])
  )
)
const readEntry = reader(VendorLivestream)
const Named = Type.String({ minLength: 1 })
const isOfMeeting = Compile(Type.Object({ id: Named, meeting_id: Named }))
const messageAnswer = reader(Envelope(Type.Object({ message: Type.Optional(Text) })))

/** A single livestream. @throws UpstreamMalformed */
export function readLivestream(body: unknown): LivestreamWithKey {
  return toLivestream(livestreamAnswer(body).data)
}

/**
 * The livestream that a start has made: INVOKED where the answer does not call it running. The vendor marks no field as always present, and
 * may show a livestream that is used again as it was before. @throws UpstreamMalformed
 */
export function readStarted(body: unknown): LivestreamWithKey {
  const { status, ...data } = startedAnswer(body).data
  return toLivestream({ ...data, status: status != null && isRunning(status) ? status : 'INVOKED' })
}

/** The active livestream; null when the answer is a success and shows nothing. @throws UpstreamMalformed */
export function readActive(body: unknown): LivestreamWithKey | null {
  return isBlank.Check(body) ? null : readLivestream(body)
}

/** Form of a list: as in L1 (contract#l1-lists); an array; or one livestream a page, as L2's schema has it (contract#two-published-forms). */
export type ListForm = 'L1' | 'many' | 'one'

/** An entry that can't be read, and the meeting that it names: it says nothing of any other meeting. */
export interface Unread {
  id: string
  meeting_id: string
}

export interface LivestreamList {
  livestreams: LivestreamWithKey[]
  unread: Unread[]
  form: ListForm
  /** Count of all, where the vendor says it. */
  total?: number
}

/** A page of livestreams. @throws UpstreamMalformed also for an entry that can't be read and names no meeting */
export function readLivestreamList(body: unknown): LivestreamList {
  const { data, paging } = livestreamsAnswer(body)
  if (Array.isArray(data)) return listOf(data, 'many', pagingOf(paging)?.total_count)
  if ('livestreams' in data) return listOf(data.livestreams, 'L1', figureOf(data.total_count) ?? figureOf(data.total))
  return listOf('id' in data ? [data] : [], 'one', pagingOf(data.paging, paging)?.total_count)
}

function listOf(entries: unknown[], form: ListForm, total: number | undefined): LivestreamList {
  const list: LivestreamList = { livestreams: [], unread: [], form, ...(total !== undefined && { total }) }
  for (const entry of entries) {
    try {
      list.livestreams.push(toLivestream(readEntry(entry)))
    } catch (error) {
      if (!isOfMeeting.Check(entry)) throw error
      list.unread.push({ id: entry.id, meeting_id: entry.meeting_id })
    }
  }
  return list
}

/** Proves that the answer is a success; what the message says differs (contract#l1-stop-message). @throws UpstreamMalformed */
export function readMessage(body: unknown): void {
  messageAnswer(body)
}

export function toLivestream(data: Static<typeof VendorLivestream>): LivestreamWithKey {
  return {
    id: data.id,
    status: data.status,
    ...present(data, ['name', 'meeting_id']),
    ...(isPlayable(data.playback_url) && present(data, ['playback_url'])),
    ...solid(data, ['ingest_server', 'stream_key', 'created_at', 'updated_at']),
    ...(data.manual_ingest === true && { manual_ingest: true }),
    ...(data.disabled != null && { disabled: data.disabled === true || data.disabled === 'true' })
  }
}

/** A page that follows the address must not be led to a script or a file. */
function isPlayable(url: string | null | undefined): boolean {
  return url == null || (/^https?:\/\//i.test(url) && URL.canParse(url))
}

/** The named fields that are there, null included. */
export function present<T extends object, K extends keyof T>(
  from: T,
  names: K[]
): { [N in K]?: Exclude<T[N], undefined> } {
  return Object.fromEntries(names.filter(name => from[name] !== undefined).map(name => [name, from[name]])) as never
}

/** The named fields that are there and not null. */
export function solid<T extends object, K extends keyof T>(
  from: T,
  names: K[]
): { [N in K]?: Exclude<T[N], undefined | null> } {
  return Object.fromEntries(names.filter(name => from[name] != null).map(name => [name, from[name]])) as never
}

/**
 * Builds an upstream path: path`/meetings/${id}/livestreams`.
 * Each value becomes exactly one segment, so an id can neither climb, nor add a segment, nor begin a query.
 * @throws TypeError for a value that would vanish or climb: `''`, `'.'`, `'..'` (encodeURIComponent leaves dots alone)
 */
export function path(text: TemplateStringsArray, ...segments: string[]): string {
  return text.reduce((built, part, i) => {
    const segment = segments[i - 1] ?? ''
    if (/^\.{0,2}$/.test(segment)) throw new TypeError(`unsafe path segment ${JSON.stringify(segment)}`)
    return built + encodeURIComponent(segment) + part
  })
}

/** Status and words of a refusal that was expected, for the failure that it becomes. */
export function saidIn({ status, reason }: VendorAnswer): FailureOptions {
  return { upstreamStatus: status, upstreamReason: reason }
}

/**
 * Refuses another object than the one that was asked for: it may be another tenant's. A vendor may write a UUID in another case than
 * elsewhere. The id that was asked for keeps its own spelling.
 * @throws UpstreamMalformed
 */
export function expectId(what: string, asked: string, answered: string): void {
  if (!isSameId(asked, answered)) {
    throw new UpstreamMalformed({ cause: new Error(`the vendor answered with another ${what}`) })
  }
}

/** Refuses an id of something new that can't be a part of our paths. @throws UpstreamMalformed */
export function expectPlainId(what: string, id: string): void {
  if (!isVendorId(id)) throw new UpstreamMalformed({ cause: new Error(`a ${what} id of unknown form`) })
}

/** Reads the answer to a mutation that the vendor has called a success. An answer that can't be read leaves the outcome unknown. */
export function readSuccess<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof Failure ? new UpstreamMalformed({ cause: error.cause, outcome: 'unknown' }) : error
  }
}
