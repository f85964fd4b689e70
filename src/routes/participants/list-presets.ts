import { Type } from 'typebox'
import { Preset } from '../../domain/preset.ts'
import { PageQuery } from '../../domain/values/paging.ts'
import type { TenantParticipants } from '../../lifecycle/participants/participants.ts'
import { failures, PagedAnswer, vendorFailures } from '../answer.ts'
import type { Api } from '../api.ts'
import { cacheDescription, cacheFields } from '../cache-fields.ts'

const schema = {
  operationId: 'listPresets',
  summary: 'Fetch the presets that the tenant may give',
  description: `A preset decides what the token of a participant allows. The operator says which ones a tenant may give. ${cacheDescription}`,
  tags: ['participants'],
  querystring: Type.Object(
    {
      ...PageQuery,
      search: Type.Optional(Type.String({ minLength: 1, maxLength: 256, description: 'Part of the name' }))
    },
    { additionalProperties: false }
  ),
  response: { 200: PagedAnswer(Preset, 'A page of the presets'), ...failures(...vendorFailures) }
}

const rule = { scope: 'participants:read', limit: 'read' } as const

export function listPresets(app: Api, { participants }: { participants: TenantParticipants }): void {
  app.get('/presets', { schema, config: { rule } }, async (request, reply) => {
    const { page_no: pageNo = 1, per_page: perPage = 25, search } = request.query
    const filter = { pageNo, perPage, search }
    const { value, ...seen } = await participants.presets(request.caller, filter, request.signal)
    cacheFields(reply, seen)
    return { success: true as const, data: value.items, paging: value.paging }
  })
}
