import type { FastifyInstance } from 'fastify'
import { LivestreamNotFound, MeetingNotFound } from '../domain/failures.ts'
import type { Directory } from '../store/directory.ts'

interface IdParams {
  meeting_id?: string
  livestream_id?: string
}

/**
 * The walls between tenants. Every id of a path is looked up before the handler runs, by the path itself and not by a
 * declaration that could be forgotten; somebody else's answers exactly like one that doesn't exist.
 */
export function ownership(app: FastifyInstance, { directory }: { directory: Directory }): void {
  app.addHook('onRoute', ({ url, config }) => {
    if (config?.rule === undefined) throw new Error(`the route ${url} declares no rule`)
    const ids = [...url.matchAll(/:(\w+)|\*/g)].map(([whole, name]) => name ?? whole)
    const strange = ids.find(name => name !== 'meeting_id' && name !== 'livestream_id')
    if (strange !== undefined) throw new Error(`nobody checks who owns ${strange} of the route ${url}`)
  })

  app.addHook('preHandler', async request => {
    const { meeting_id: meetingId, livestream_id: livestreamId } = (request.params ?? {}) as IdParams
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
  })
}
