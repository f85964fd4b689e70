import Fastify from 'fastify'
import t from 'tap'
import { type Scope, scopes } from '../../../src/domain/scope.ts'
import { type Address, parseAddress } from '../../../src/domain/values/address.ts'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { audit } from '../../../src/http/request/audit.ts'
import { ownership } from '../../../src/http/request/ownership.ts'
import { decorateRequests } from '../../../src/http/request/request.ts'
import type { Directory } from '../../../src/store/memory/directory.ts'
import { gateway } from '../../support/gateway.ts'
import { type DocumentedRoute, documentedRoutes, fill, isEnvelope, sessionIds } from '../../support/http/helper.ts'
import { mutatingRoutes } from '../../support/http/mutating.ts'

/** Scope of each operation, said a second time: a changed rule must be changed here too, by somebody who means it. */
const needed: Record<string, Scope> = {
  startLivestream: 'livestreams:start',
  getActiveLivestream: 'livestreams:read',
  stopLivestream: 'livestreams:stop',
  listMeetingLivestreams: 'livestreams:read',
  listLivestreams: 'livestreams:read',
  getLivestream: 'livestreams:read',
  createLivestream: 'livestreams:manage',
  enableLivestream: 'livestreams:manage',
  disableLivestream: 'livestreams:manage',
  resetStreamKey: 'livestreams:manage',
  getActiveLivestreamSession: 'livestreams:read',
  getLivestreamSession: 'livestreams:read',
  getMeetingLivestream: 'livestreams:read',
  listSessionLivestreams: 'livestreams:read',
  getActiveSession: 'livestreams:read',
  kickParticipants: 'stage:manage',
  kickAllParticipants: 'stage:manage',
  muteParticipants: 'stage:manage',
  muteAllParticipants: 'stage:manage',
  getAnalytics: 'livestreams:read',
  getDaywiseAnalytics: 'livestreams:read',
  createMeeting: 'meetings:write',
  listMeetings: 'meetings:read',
  getMeeting: 'meetings:read',
  updateMeeting: 'meetings:write',
  replaceMeeting: 'meetings:write',
  addParticipant: 'participants:manage',
  updateParticipant: 'participants:manage',
  replaceParticipant: 'participants:manage',
  removeParticipant: 'participants:manage',
  refreshParticipantToken: 'participants:manage',
  listParticipants: 'participants:read',
  getParticipant: 'participants:read',
  listPresets: 'participants:read',
  listAuditEvents: 'audit:read',
  getUsage: 'livestreams:read',
  streamEvents: 'livestreams:read',
  setWebhook: 'webhooks:manage',
  getWebhook: 'webhooks:manage',
  removeWebhook: 'webhooks:manage',
  testWebhook: 'webhooks:manage',
  listRuns: 'livestreams:read',
  getRun: 'livestreams:read',
  updateRun: 'livestreams:start',
  rotateKey: 'keys:rotate'
}

const isStop = (scope: Scope): number => Number(scope === 'livestreams:stop')

t.test('each operation can be done with its scope and with no other', async t => {
  const { app, asAcme, withKey, meeting, upstream, simulator } = await gateway(t)
  const routes = documentedRoutes(app)
  const guarded = routes.filter(({ path }) => /^\/(v2|gateway)\//.test(path))
  t.strictSame(Object.fromEntries(guarded.map(({ operationId, scope }) => [operationId, scope])), needed)
  t.strictSame(
    routes.filter(route => !guarded.includes(route)).map(({ operationId }) => operationId),
    ['livez', 'readyz'],
    'only health needs no key'
  )
  t.equal(guarded.length, pathsOf(app.printRoutes({ commonPrefix: false })), 'no route is missing in the document')

  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  simulator.addParticipant(meeting)
  simulator.joinMeeting(meeting) // its session outlives the livestream
  const ids = await sessionIds(asAcme, { meeting_id: meeting, livestream_id: id })
  const bodies = new Map(mutatingRoutes({ app }).map(({ operationId, body }) => [operationId, body]))
  const changes = ({ operationId }: DocumentedRoute): number =>
    [
      'muteParticipants',
      'muteAllParticipants',
      'kickParticipants',
      'kickAllParticipants',
      'removeWebhook',
      'removeParticipant'
    ].indexOf(operationId)
  // People who were kicked cannot be muted, a webhook that was removed can't be tested, and nobody who was removed can be changed.
  guarded.sort((a, b) => changes(a) - changes(b))
  // A stop is looked after by itself some seconds later: it comes last, since each call at the vendor is counted.
  for (const scope of scopes.toSorted((a, b) => isStop(a) - isStop(b))) {
    const { call } = await withKey('acme', [scope])
    const { call: callOthers } = await withKey(
      'acme',
      scopes.filter(other => other !== scope)
    )
    for (const route of guarded) {
      const { method, operationId } = route
      const path = fill(route.path, ids)
      const label = `${operationId} with ${scope}`
      const allowed = route.scope === scope
      const reply = await call(method, path, method === 'GET' ? undefined : bodies.get(operationId))
      t.equal(reply.statusCode === 403, !allowed, `${label}: ${reply.statusCode}`)
      if (!allowed) continue
      t.ok(reply.statusCode < 300, `${label}: ${reply.statusCode}`)
      const before = upstream().length
      const refused = await callOthers(method, path, method === 'GET' ? undefined : {})
      t.ok(isEnvelope(refused, 403, 'scope_missing'), `${operationId} with all but ${scope}`)
      t.equal(refused.json().error.message, `The key lacks the scope ${scope}`)
      t.strictSame(refused.json().error.details, [{ field: 'scope', message: `${scope} is needed` }])
      t.equal(upstream().length, before, 'and the vendor hears nothing')
      if (method === 'GET') t.equal((await callOthers('HEAD', path)).statusCode, 403, 'nor with HEAD')
    }
  }
})

t.test('a key without scopes, or for an unknown id, is refused before it learns whether the id exists', async t => {
  const { withKey, meeting } = await gateway(t)
  const { call } = await withKey('acme', [])
  for (const id of [meeting, 'unknown', 'a.b', '..'])
    t.equal((await call('GET', `/v2/meetings/${id}`)).statusCode, 403, id)
})

t.test(
  'a route without a scope, an owner of its ids or a name in the log is refused while it is registered',
  async t => {
    const nobody = { meeting: async () => null, livestream: async () => null } as unknown as Directory
    const schema = { operationId: 'seeThings' }
    const register =
      (url: string, config: object, described: object = schema) =>
      async () => {
        const app = Fastify()
        decorateRequests(app)
        audit(app, {
          append() {},
          fingerprint: String,
          addressOf: () => parseAddress('::1') as Address,
          clock: systemClock
        })
        await app.register(async api => {
          ownership(api, {
            directory: nobody,
            runs: { find: async () => null },
            participants: { find: async () => null },
            adopt: nobody
          })
          api.get(url, { config, schema: described }, async () => 'shown')
        })
        await app.ready()
      }
    const rule = { scope: 'meetings:read', limit: 'read' }
    await t.rejects(register('/things', {}), new Error('the route /things declares no rule'))
    for (const scope of [undefined, '', 'meetings:red']) {
      const config = { rule: { limit: 'read', scope } }
      await t.rejects(register('/things', config), new Error('the route /things asks for no scope'))
    }
    const strange = 'nobody checks who owns room_id of the route /rooms/:room_id'
    await t.rejects(register('/rooms/:room_id', { rule }), new Error(strange))
    await t.rejects(register('/:meeting_id/a/:id', { rule }), { message: /nobody checks who owns id / })
    await t.rejects(register('/:id(^\\d+$)', { rule }), { message: /nobody checks who owns id / })
    await t.rejects(register('/files/*', { rule }), { message: /nobody checks who owns \* / })
    const nameless = new Error('the route /things has no operationId to be on record by')
    for (const described of [{}, { operationId: '' }])
      await t.rejects(register('/things', { rule }, described), nameless)
    await t.resolves(register('/things/:meeting_id', { rule }))
  }
)

/** Counts the methods behind /v2 and /gateway in Fastify's own picture of its routes, HEAD aside. */
function pathsOf(picture: string): number {
  let counting = false
  let count = 0
  for (const line of picture.split('\n')) {
    const [, indent = '', path = '', methods = ''] = /^([│├└─ ]*)(\S+) \(([^)]*)\)/.exec(line) ?? []
    if (path === '') continue
    if (indent.length <= 4) counting = /^\/(v2|gateway)\//.test(path)
    if (counting) count += methods.split(', ').filter(method => method !== 'HEAD').length
  }
  return count
}
