import type { FastifyInstance } from 'fastify'
import { LivestreamNotFound, LivestreamSessionNotFound, MeetingNotFound, SessionNotFound } from '../domain/failures.ts'
import { isScope } from '../domain/scope.ts'
import type { Directory } from '../store/directory.ts'

interface IdParams {
  meeting_id?: string
  livestream_id?: string
  livestream_session_id?: string
  session_id?: string
}

const known: readonly string[] = [
  'meeting_id',
  'livestream_id',
  'livestream_session_id',
  'session_id'
] satisfies (keyof IdParams)[]

/**
 * The walls between tenants. Every id of a path is looked up before the handler runs, by the path itself and not by a
 * declaration that could be forgotten; somebody else's answers exactly like one that doesn't exist.
 */
export function ownership(app: FastifyInstance, { directory }: { directory: Directory }): void {
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
    if (meetingId !== undefined) {
      const meeting = await directory.meeting(request.caller.tenant.id, meetingId)
      if (meeting === null) throw new MeetingNotFound()
      request.meeting = meeting
    }
    if (livestreamId !== undefined) {
      const livestream = await directory.livestream(request.caller.tenant.id, livestreamId)
      if (livestream === null) throw new LivestreamNotFound()
      request.livestream = livestream
    }
    if (params.livestream_session_id !== undefined) {
      const run = await directory.run(request.caller.tenant.id, params.livestream_session_id)
      const livestream = run && (await directory.livestream(request.caller.tenant.id, run.livestreamId))
      if (livestream === null) throw new LivestreamSessionNotFound()
      request.livestream = livestream
    }
    if (params.session_id !== undefined) {
      const session = await directory.session(request.caller.tenant.id, params.session_id)
      const meeting = session && (await directory.meeting(request.caller.tenant.id, session.meetingId))
      if (meeting === null) throw new SessionNotFound()
      request.meeting = meeting
    }
  })
}
