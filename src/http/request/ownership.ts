import type { FastifyInstance } from 'fastify'
import { likelySpelling } from '../../domain/id.ts'
import type { OwnedLivestream } from '../../domain/livestream.ts'
import type { OwnedMeeting } from '../../domain/meeting.ts'
import {
  LivestreamNotFound,
  LivestreamSessionNotFound,
  MeetingNotFound,
  ParticipantNotFound,
  RunNotFound,
  SessionNotFound
} from '../../domain/refusals/failures.ts'
import { isScope } from '../../domain/scope.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { KnownParticipants } from '../../store/tables/participants.ts'
import type { BroadcastRuns } from '../../store/tables/runs/broadcast-runs.ts'

interface IdParams {
  meeting_id?: string
  livestream_id?: string
  livestream_session_id?: string
  session_id?: string
  run_id?: string
  participant_id?: string
}

const known: readonly string[] = [
  'meeting_id',
  'livestream_id',
  'livestream_session_id',
  'session_id',
  'run_id',
  'participant_id'
] satisfies (keyof IdParams)[]

export interface OwnershipDeps {
  directory: Pick<Directory, 'meeting' | 'livestream' | 'run' | 'session'>
  runs: Pick<BroadcastRuns, 'find'>
  participants: Pick<KnownParticipants, 'find'>
  /** Takes over an id that is not the tenant's yet, if it may become so; a stop is urgent. */
  adopt: {
    meeting(tenantId: string, id: string, urgent: boolean): Promise<OwnedMeeting | null>
    livestream(tenantId: string, id: string, urgent: boolean): Promise<OwnedLivestream | null>
  }
}

/**
 * The walls between tenants. Every id of a path is looked up before the handler runs, by the path itself and not by a
 * declaration that could be forgotten; somebody else's answers exactly like one that doesn't exist. From here on the path has
 * each id as the vendor wrote it, for vendor, caches, record and fingerprint: a UUID may have come in another case.
 */
export function ownership(app: FastifyInstance, { directory, runs, participants, adopt }: OwnershipDeps): void {
  app.addHook('onRoute', ({ url, config }) => {
    if (config?.rule === undefined) throw new Error(`the route ${url} declares no rule`)
    if (!isScope(config.rule.scope)) throw new Error(`the route ${url} asks for no scope`)
    const ids = [...url.matchAll(/:(\w+)|\*/g)].map(([whole, name]) => name ?? whole)
    const strange = ids.find(name => !known.includes(name))
    if (strange !== undefined) throw new Error(`nobody checks who owns ${strange} of the route ${url}`)
  })

  app.addHook('preHandler', async request => {
    const params = (request.params ?? {}) as IdParams
    const { meeting_id: meetingId, livestream_id: livestreamId } = params
    const tenantId = request.caller.tenant.id
    const urgent = request.routeOptions.config.rule?.limit === 'never'
    if (meetingId !== undefined) {
      const meeting =
        (await directory.meeting(tenantId, meetingId)) ??
        (await adopt.meeting(tenantId, likelySpelling(meetingId), urgent))
      if (meeting === null) throw new MeetingNotFound()
      request.meeting = meeting
      params.meeting_id = meeting.id
      if (params.participant_id !== undefined) {
        const id = await participants.find(meeting, params.participant_id)
        if (id === null) throw new ParticipantNotFound()
        params.participant_id = id
      }
    }
    if (livestreamId !== undefined) {
      const livestream =
        (await directory.livestream(tenantId, livestreamId)) ??
        (await adopt.livestream(tenantId, likelySpelling(livestreamId), urgent))
      if (livestream === null) throw new LivestreamNotFound()
      request.livestream = livestream
      params.livestream_id = livestream.id
    }
    if (params.livestream_session_id !== undefined) {
      const run = await directory.run(tenantId, params.livestream_session_id)
      const livestream = run && (await directory.livestream(tenantId, run.livestreamId))
      if (run === null || livestream === null) throw new LivestreamSessionNotFound()
      request.livestream = livestream
      params.livestream_session_id = run.id
    }
    if (params.session_id !== undefined) {
      const session = await directory.session(tenantId, params.session_id)
      const meeting = session && (await directory.meeting(tenantId, session.meetingId))
      if (session === null || meeting === null) throw new SessionNotFound()
      request.meeting = meeting
      params.session_id = session.id
    }
    if (params.run_id !== undefined) {
      const run = await runs.find(tenantId, likelySpelling(params.run_id))
      if (run === null) throw new RunNotFound()
      request.run = run
      // Its answer passes the check of whoever holds the meeting then.
      if (run.meetingId !== null) request.meeting = { id: run.meetingId, tenantId, upstream: run.upstream }
      params.run_id = run.id
    }
  })
}
