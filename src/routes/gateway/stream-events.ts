import { Type } from 'typebox'
import { MeetingId } from '../../domain/id.ts'
import { InvalidInput, MeetingNotFound } from '../../domain/refusals/failures.ts'
import type { TenantEvents } from '../../lifecycle/push/event-streams.ts'
import { failures } from '../answer.ts'
import type { Api } from '../api.ts'
import { eventWire, streamFields } from './event-wire.ts'

const header = 'last-event-id'

const schema = {
  operationId: 'streamEvents',
  summary: "Stream events of the tenant's runs",
  description:
    'Server-sent events: `livestream.starting`, `live`, `ending_soon`, `ended` and `errored`, each with a `ShownRunEvent` as its data. `Last-Event-ID` resumes behind that event: nothing of the last 7 days is lost. An event `reset` says that older ones may be missing. A line is sent each 15 s at least.',
  tags: ['gateway'],
  headers: Type.Object({
    [header]: Type.Optional(
      Type.String({ maxLength: 15, description: 'Id of the last event that was received', examples: ['4711'] })
    )
  }),
  querystring: Type.Object(
    {
      meeting_id: Type.Optional(
        Type.Array(MeetingId, { minItems: 1, maxItems: 100, description: 'Only of these meetings' })
      )
    },
    { additionalProperties: false }
  ),
  response: {
    200: {
      description: 'The events, for as long as the key may read them',
      content: {
        'text/event-stream': { schema: Type.String({ examples: ['event: livestream.live\nid: 42\ndata: {}\n\n'] }) }
      }
    },
    ...failures(MeetingNotFound)
  }
}

const rule = { scope: 'livestreams:read', limit: 'read', lasts: 'stream' } as const

export function streamEvents(app: Api, { events }: { events: TenantEvents }): void {
  app.get('/events', { schema, config: { rule } }, async (request, reply) => {
    const { meeting_id: meetingIds = [] } = request.query
    // A stream that nobody can read is not opened.
    if (request.method === 'HEAD') return reply.headers(streamFields).send('')
    const wanted = { meetingIds, lastId: readLastId(request.headers[header]) }
    await events.stream(request.caller, wanted, eventWire(request, reply))
    return reply
  })
}

/** @throws InvalidInput */
function readLastId(field: string | string[] | undefined): number | null {
  if (field === undefined) return null
  if (typeof field === 'string' && /^(?:0|[1-9]\d{0,14})$/.test(field)) return Number(field)
  throw new InvalidInput({ details: [{ field: `header.${header}`, message: 'must be the id of an event' }] })
}
