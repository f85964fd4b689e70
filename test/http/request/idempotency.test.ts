import t from 'tap'
import type { Fault } from '../../../src/simulator/simulator.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { says } from '../../support/campaigns/trouble.ts'
import { manualClock } from '../../support/clock.ts'
import { plenty } from '../../support/config.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway, type Reply } from '../../support/gateway.ts'
import {
  aRequest,
  freshKey,
  isExecuted,
  isReplay,
  type MutatingRoute,
  mutationsSent,
  needsLive,
  send,
  vendorMutations
} from '../../support/http/mutating.ts'

const world = await gatewayBehindDoor(t, { config: { writeLimit: plenty } })
const { asAcme, simulator, storeFile, meeting, otherMeeting, withKey, door } = world
const routes = vendorMutations(world)

t.test(
  'a key is free again when the vendor has not executed the call: the next request with it is executed',
  async t => {
    const refusals: [Fault, string][] = [
      [{ status: 401 }, '502 upstream_credentials_refused not_sent'],
      [
        { status: 403, body: { errors: [{ code: 10_000, message: 'Authentication error' }] } },
        '502 upstream_credentials_refused not_sent'
      ],
      [{ retryAfterSeconds: 1 }, '503 upstream_throttled not_sent']
    ]
    // A stop is repeated whatever kept it from the vendor: its key stays bound to it (`idempotency-unknown.test.ts`).
    for (const route of routes.filter(({ operationId }) => operationId !== 'stopLivestream')) {
      for (const [fault, told] of refusals) {
        // One of them: all pause together, a second each.
        if (route.operationId !== 'startLivestream' && fault.retryAfterSeconds !== undefined) continue
        const { vendor, call, sent } = await aRequest(world, route)
        simulator.failNext({ match: vendor, ...fault })
        t.equal(says(await call()), told, route.operationId)
        t.equal(sent(), 1)
        t.ok(isExecuted(await call()), route.operationId)
        t.ok(isReplay(await call()), route.operationId)
        t.equal(sent(), 2)
      }
    }
  }
)

t.test('a key is free again when nothing left: no connection, no record', async t => {
  await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`) // a connection for reads stands
  for (const route of routes.filter(({ operationId }) => operationId !== 'stopLivestream')) {
    const { call, sent } = await aRequest(world, route)
    door.shut()
    t.equal(says(await call()), '502 upstream_unreachable not_sent', route.operationId)
    await door.open()
    const unlock = lockStore(storeFile)
    t.equal(says(await call()), '503 audit_unavailable not_sent', route.operationId)
    unlock()
    t.equal(sent(), 0)
    t.ok(isExecuted(await call()), route.operationId)
    t.equal(sent(), 1)
  }
})

t.test('a refusal by Livegate itself does not use up the key', async t => {
  const viewer = (await withKey('acme', ['livestreams:read'])).call
  for (const route of routes) {
    const { meeting, headers, call, sent } = await aRequest(world, route)
    // A stop has no fields, and a removal has none, but for those that a query might have.
    const wrong = /^(stopLivestream|removeParticipant)$/.test(route.operationId)
      ? { ...route, path: `${route.path}?nonsense=1` }
      : route
    t.equal((await send(asAcme, wrong, meeting, headers, { nonsense: 1 })).statusCode, 400, route.operationId)
    t.equal((await send(viewer, route, meeting, headers)).statusCode, 403, route.operationId)
    if (route.path.includes('{')) t.equal((await send(asAcme, route, otherMeeting, headers)).statusCode, 404)
    t.equal(sent(), 0)
    t.ok(isExecuted(await call()), route.operationId)
  }
})

t.test('a limit does not use up the key', async t => {
  const clock = manualClock()
  const config = { writeLimit: { calls: 1, seconds: 60, burst: 1 } }
  const { asAcme, directory } = await gateway(t, { clock, config })
  const create = (headers = {}) => asAcme('POST', '/v2/meetings', {}, headers)
  t.equal((await create()).statusCode, 201)
  const key = freshKey()
  t.equal((await create(key)).statusCode, 429)
  clock.advance(60_000)
  await directory.pull()
  t.ok(isExecuted(await create(key)))
})

/** Words of the vendor in a 404. */
function missingOn({ path }: MutatingRoute): string {
  if (path.includes('/participants/{')) return 'participant_not_found'
  if (!path.includes('/active-session/')) return 'meeting_not_found'
  return path.endsWith('-all') ? 'no_active_session' : 'participant_not_found'
}

t.test("the vendor's refusal of what was asked is the last word", async t => {
  // A refused start or stop is explained by a look (`refused-start.test.ts`, `refused-stop.test.ts`).
  const isExplained = ({ operationId }: MutatingRoute): boolean => /^(start|stop)Livestream$/.test(operationId)
  for (const route of routes.filter(route => !isExplained(route))) {
    for (const status of [400, 404, 422]) {
      const { vendor, call, sent } = await aRequest(world, route, { live: needsLive(route) })
      simulator.failNext({ match: vendor, status, body: { success: false } })
      const first = await call()
      const notFound = `404 ${missingOn(route)}`
      const { operationId, path } = route
      // An older contract lacks it: the vendor has the thing, and not the operation.
      const lacks = /^(replaceMeeting|replaceParticipant|(en|dis)ableLivestream|resetStreamKey)$/.test(operationId)
      const missing = lacks ? '501 not_offered_by_upstream failed' : notFound
      const told = status === 404 && path.includes('{') ? missing : '502 upstream_refused failed'
      t.equal(says(first), told, `${route.operationId} ${status}`)
      const again = await call()
      t.ok(isReplay(again), `${route.operationId} ${status}`)
      t.equal(again.statusCode, first.statusCode)
      t.equal(again.body, first.body)
      t.equal(sent(), 1)
    }
  }
})

t.test('the order of the fields of a body means nothing, that of a list does', async t => {
  const headers = { ...freshKey(), 'content-type': 'application/json' }
  const bodies = ['{"keywords":["a","b"],"language":"en"}', '{"language":"en","keywords":["a","b"]}'].flatMap(inner => [
    `{"title":"x","ai_config":{"transcription":${inner}}}`,
    ` { "ai_config":\n{"transcription":${inner}} , "title":"\\u0078"}`
  ])
  const before = mutationsSent(simulator)
  const replies: Reply[] = []
  for (const body of bodies) replies.push(await asAcme('POST', '/v2/meetings', body, headers))
  t.strictSame(replies.map(isReplay), [false, true, true, true])
  t.equal(new Set(replies.map(({ body }) => body)).size, 1)
  const another = bodies[0]?.replace('"a","b"', '"b","a"')
  t.equal((await asAcme('POST', '/v2/meetings', another, headers)).statusCode, 422)
  t.equal(mutationsSent(simulator) - before, 1)
})
