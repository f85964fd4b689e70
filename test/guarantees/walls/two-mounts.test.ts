import { randomUUID } from 'node:crypto'
import t from 'tap'
import { type Scope, scopes } from '../../../src/domain/scope.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { type Client, gateway, withoutRequestId } from '../../support/gateway.ts'
import { documentedRoutes, endRank, fill, type Ids, isEnvelope, sessionIds } from '../../support/http/helper.ts'
import { essence, mounted } from '../../support/http/mounts.ts'
import { mutatingRoutes } from '../../support/http/mutating.ts'

/** More than any test needs, for all alike. */
const limit = { calls: 10_000, seconds: 60, burst: 10_000 }
const world = await gateway(t, { slowDisk: true, config: { readLimit: limit, writeLimit: limit } })
const { app, asAcme, asGlobex, otherMeeting, simulator, store, directory, withKey, upstream } = world

/** A meeting with people in it that is live, as every other one of these. */
async function live(call: Client, meeting_id: string): Promise<Required<Ids>> {
  simulator.joinMeeting(meeting_id)
  const started = await call('POST', `/v2/meetings/${meeting_id}/livestreams`, { name: 'show' })
  simulator.addParticipant(meeting_id)
  return sessionIds(call, { meeting_id, livestream_id: started.json().data.id })
}

const meetings = [1, 2].map(() => simulator.addMeeting({ title: 'Friday show' }).id)
await meetingsIn(store).assign('acme', 'default', meetings, Date.now())
await directory.pull()
const [own, ownToo] = (await Promise.all(meetings.map(id => live(asAcme, id)))) as [Required<Ids>, Required<Ids>]
const foreign = await live(asGlobex, otherMeeting)
const missing = Object.fromEntries(Object.keys(own).map(name => [name, randomUUID()])) as Required<Ids>

// Questions about what goes on come first, and then the calls that end it.
const routes = documentedRoutes(app)
  .filter(({ path }) => path.startsWith('/v2/'))
  .sort((a, b) => endRank(a) - endRank(b))
const examples = new Map(mutatingRoutes(world).map(({ operationId, body }) => [operationId, body]))

t.test(
  'each operation answers alike in both places: own, foreign and missing ids, with its scope and without',
  async t => {
    const clients = new Map<Scope, { only: Client; others: Client }>()
    for (const scope of scopes) {
      const { call: only } = await withKey('acme', [scope])
      const { call: others } = await withKey(
        'acme',
        scopes.filter(one => one !== scope)
      )
      clients.set(scope, { only, others })
    }
    t.ok(routes.length >= 26)
    for (const route of routes) {
      const { method, operationId } = route
      const { only, others } = clients.get(route.scope as Scope) ?? {}
      if (only === undefined || others === undefined) throw new Error(`${operationId} has no scope`)
      const ask = async (call: Client, ids: Ids, idsToo = ids) => {
        const body = method === 'GET' ? undefined : examples.get(operationId)
        const reply = await call(method, fill(route.path, ids), body)
        const same = await call(method, mounted(fill(route.path, idsToo)), body)
        t.strictSame(essence(same, idsToo), essence(reply, ids), `${operationId} in both places`)
        return reply
      }

      const before = upstream().length
      const refused = await ask(others, own)
      t.ok(isEnvelope(refused, 403, 'scope_missing'), `${operationId} with all scopes but its own`)
      t.strictSame(refused.json().error.details, [{ field: 'scope', message: `${route.scope} is needed` }])
      if (route.path.includes('{')) {
        for (const ids of [foreign, missing])
          t.equal(withoutRequestId(await ask(others, ids)), withoutRequestId(refused), `${operationId}, whose id it is`)
        const none = await ask(only, missing)
        t.equal(none.statusCode, 404, operationId)
        t.equal(
          withoutRequestId(await ask(only, foreign)),
          withoutRequestId(none),
          `${operationId}: foreign as missing`
        )
      }
      t.equal(upstream().length, before, 'and the vendor hears nothing of it')
      const done = await ask(only, own, route.path.includes('{') ? ownToo : own)
      t.ok(done.statusCode < 300, `${operationId}: ${done.statusCode}`)
    }
  }
)
