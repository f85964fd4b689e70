import { type Static, type TSchema, Type } from 'typebox'
import type { LivestreamSession, LivestreamWithKey } from '../../domain/livestream.ts'
import { UpstreamMalformed } from '../../domain/refusals/failures.ts'
import type { Paging } from '../../domain/values/paging.ts'
import type { ActiveRun, LivestreamWithSessions, PageOfRuns } from '../provider.ts'
import {
  Beside,
  Envelope,
  Figure,
  PagingAlone,
  present,
  reader,
  solid,
  Text,
  toLivestream,
  VendorLivestream
} from './contract.ts'
import { figures, pageOf, pagingOf } from './figures.ts'
import { cleaned } from './vendor-words.ts'

const VendorSession = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 64 }),
  livestream_id: Type.Optional(Text),
  err_message: Type.Optional(Text),
  invoked_time: Type.Optional(Text),
  started_time: Type.Optional(Text),
  stopped_time: Type.Optional(Text),
  created_at: Type.Optional(Text),
  updated_at: Type.Optional(Text),
  ingest_seconds: Figure,
  viewer_seconds: Figure
})

const OneOrMany = <X extends TSchema>(schema: X) => Type.Union([Type.Array(schema), schema])
const sessionsAnswer = reader(
  Envelope(
    Type.Union([
      Type.Object({
        livestream: VendorLivestream,
        sessions: Type.Optional(OneOrMany(VendorSession)),
        session: Type.Optional(Type.Union([OneOrMany(VendorSession), Type.Null()])),
        paging: Beside
      }),
      VendorLivestream // L1: the object alone
    ])
  )
)
/** A livestream with its runs; L1 has none (contract#l1-no-runs). @throws UpstreamMalformed */
export function readLivestreamWithSessions(body: unknown): {
  livestream: LivestreamWithKey
  sessions: LivestreamSession[]
  paging: Paging
} {
  const { data, paging } = sessionsAnswer(body)
  if (!('livestream' in data)) return { livestream: toLivestream(data), sessions: [], paging: pageOf([]) }
  const sessions = [data.sessions ?? data.session ?? []].flat().map(toSession)
  return {
    livestream: toLivestream(data.livestream),
    sessions,
    paging: pagingOf(paging, data.paging) ?? pageOf(sessions)
  }
}

/** A run is shown by many calls: nothing that one of them sent is to be hidden. */
const nobodys = { path: '', secrets: [] }

function toSession(data: Static<typeof VendorSession>): LivestreamSession {
  return {
    id: data.id,
    ...present(data, ['invoked_time', 'started_time', 'stopped_time']),
    // A vendor might mention the stream key, which fewer people may see than the run.
    ...(data.err_message !== undefined && { err_message: data.err_message && cleaned(data.err_message, nobodys) }),
    ...solid(data, ['livestream_id', 'created_at', 'updated_at']),
    ...figures(data, ['ingest_seconds', 'viewer_seconds'])
  }
}

const switchedAnswer = reader(
  Type.Object({
    success: Type.Optional(Type.Literal(true)),
    data: Type.Optional(VendorLivestream),
    LivestreamBase: Type.Optional(VendorLivestream)
  })
)

/** A livestream in either place (contract#two-published-forms): `data`, or `LivestreamBase` beside `success`. @throws UpstreamMalformed */
export function readSwitched(body: unknown): LivestreamWithKey {
  const { data, LivestreamBase: base } = switchedAnswer(body)
  const livestream = data ?? base
  if (livestream === undefined) throw new UpstreamMalformed({ cause: new Error('no livestream in the answer') })
  return toLivestream(livestream)
}

const activeRunAnswer = reader(
  Envelope(Type.Object({ livestream: VendorLivestream, session: Type.Union([OneOrMany(VendorSession), Type.Null()]) }))
)

/** A livestream with the run that goes on; null when the answer shows none. @throws UpstreamMalformed */
export function readActiveRun(body: unknown): ActiveRun | null {
  const { livestream, session } = activeRunAnswer(body).data
  const [run] = [session ?? []].flat()
  return run === undefined ? null : { livestream: toLivestream(livestream), session: toSession(run) }
}

const runAnswer = reader(Envelope(VendorSession))

/** One run. @throws UpstreamMalformed */
export function readRun(body: unknown): LivestreamSession {
  return toSession(runAnswer(body).data)
}

const Sessions = Type.Optional(Type.Union([OneOrMany(VendorSession), Type.Null()]))
const ofMeetingAnswer = reader(
  Envelope(
    Type.Object({
      livestream: Type.Optional(Type.Union([OneOrMany(VendorLivestream), Type.Null()])),
      livestreams: Type.Optional(Type.Union([OneOrMany(VendorLivestream), Type.Null()])),
      sessions: Sessions,
      session: Sessions,
      paging: Beside
    })
  )
)

/** The first livestream of the answer with its runs, in both forms (contract#two-published-forms); null without one. @throws UpstreamMalformed */
export function readOfMeeting(body: unknown): LivestreamWithSessions | null {
  const { data, paging } = ofMeetingAnswer(body)
  const [first, ...others] = [data.livestream ?? data.livestreams ?? []].flat()
  if (first === undefined) return null
  const shown = [data.sessions ?? data.session ?? []].flat().map(toSession)
  // With several livestreams the runs may be of any of them.
  const isOfAnother = (run: LivestreamSession): boolean => others.some(({ id }) => id === run.livestream_id)
  const sessions = shown.filter(run => !isOfAnother(run))
  return { livestream: toLivestream(first), sessions, paging: pagingOf(paging, data.paging) ?? pageOf(sessions) }
}

const Paged = { paging: Beside }
const runsAnswer = reader(
  Envelope(
    Type.Union([
      Type.Array(VendorSession),
      Type.Object({ data: OneOrMany(VendorSession), ...Paged }),
      Type.Object({ ...VendorSession.properties, ...Paged }), // L2 as its schema has it: one run beside `paging`
      PagingAlone
    ])
  )
)

/** A page of runs, in each form (contract#two-published-forms). @throws UpstreamMalformed */
export function readRuns(body: unknown): PageOfRuns {
  const { data, paging } = runsAnswer(body)
  if (Array.isArray(data)) return pageOfRuns(data.map(toSession), pagingOf(paging))
  const runs = 'data' in data ? [data.data].flat() : 'id' in data ? [data] : []
  return pageOfRuns(runs.map(toSession), pagingOf(paging, data.paging))
}

function pageOfRuns(sessions: LivestreamSession[], paging: Paging | undefined): PageOfRuns {
  return { sessions, paging: paging ?? pageOf(sessions) }
}
