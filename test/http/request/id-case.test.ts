import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import t from 'tap'
import { ownership } from '../../../src/http/request/ownership.ts'
import { decorateRequests } from '../../../src/http/request/request.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { type Client, gateway, withoutRequestId } from '../../support/gateway.ts'
import { documentedRoutes, endRank, fill, type Ids, sessionIds } from '../../support/http/helper.ts'
import { mounted } from '../../support/http/mounts.ts'
import { freshKey, makeMeetings, mutatingRoutes } from '../../support/http/mutating.ts'

const limit = { calls: 10_000, seconds: 60, burst: 10_000 }
const world = await gateway(t, { config: { readLimit: limit, writeLimit: limit, readTtlMs: 60_000 } })
const { app, asAcme, asGlobex, meeting, simulator, store, upstream, events } = world
const bodies = new Map(mutatingRoutes(world).map(({ operationId, body }) => [operationId, body]))

const upper = (ids: Ids): Ids => Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, id.toUpperCase()]))

t.test(
  'after the door the path has each id as it is stored; who nobody has is asked for as vendors write it',
  async t => {
    const app = Fastify()
    decorateRequests(app)
    const asked: string[] = []
    const stored = (_tenant: string, id: string) =>
      Promise.resolve({ id: id.toLowerCase(), livestreamId: 'l', meetingId: 'm' } as never)
    const adopt = (_tenant: string, id: string) => {
      asked.push(id)
      return Promise.resolve(null)
    }
    const directory = { meeting: stored, livestream: stored, run: stored, session: stored }
    const nobody = () => Promise.resolve(null)
    const names = ['meeting_id', 'livestream_id', 'livestream_session_id', 'session_id', 'run_id']
    const rule = { scope: 'livestreams:read', limit: 'read' } as const
    for (const [prefix, known] of [
      ['/known', directory],
      ['/new', { ...directory, meeting: nobody, livestream: nobody }]
    ] as const)
      await app.register(
        async scope => {
          scope.addHook('onRequest', async request => {
            Object.assign(request, { caller: { tenant: { id: 'acme' } } })
          })
          ownership(scope, {
            directory: known,
            runs: { find: stored },
            participants: { find: nobody },
            adopt: { meeting: adopt, livestream: adopt }
          })
          for (const name of names) scope.get(`/${name}/:${name}`, { config: { rule } }, async ({ params }) => params)
        },
        { prefix }
      )
    const id = randomUUID()
    for (const name of names)
      t.strictSame((await app.inject(`/known/${name}/${id.toUpperCase()}`)).json(), { [name]: id })
    for (const path of ['meeting_id', 'livestream_id'])
      for (const wanted of [id.toUpperCase(), 'NoUuid', `${id.toUpperCase()}0`])
        await app.inject(`/new/${path}/${wanted}`)
    t.strictSame(asked, [id, 'NoUuid', `${id.toUpperCase()}0`, id, 'NoUuid', `${id.toUpperCase()}0`])
  }
)

t.test('a UUID in upper case is the same id for each operation, on both mounts', async t => {
  simulator.joinMeeting(meeting)
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  simulator.addParticipant(meeting)
  const ids = await sessionIds(asAcme, { meeting_id: meeting, livestream_id: id })
  const routes = documentedRoutes(app)
    .filter(({ path }) => path.includes('{'))
    .sort((a, b) => endRank(a) - endRank(b))
  const before = upstream().length
  for (const { method, path, operationId } of routes) {
    for (const spelt of [fill(path, upper(ids)), mounted(fill(path, upper(ids)))]) {
      simulator.joinMeeting(meeting)
      const reply = await asAcme(method, spelt, bodies.get(operationId), { 'x-request-id': operationId })
      const isDone = reply.statusCode < 300 || reply.json().error.type === 'participant_not_found'
      t.ok(isDone || endRank({ method, path }) === 2, `${operationId}: ${reply.statusCode}`)
    }
  }
  const told = JSON.stringify([upstream().slice(before), (await events()).map(({ resources }) => resources)])
  for (const id of Object.values(upper(ids)))
    t.notOk(told.includes(id), 'the vendor and the record have it as the vendor wrote it')
})

t.test('a stop in upper case stops, and under an idempotency key it is the same request', async t => {
  const [id = ''] = await makeMeetings(store, simulator, 'acme', 1)
  await asAcme('POST', `/v2/meetings/${id}/livestreams`)
  const headers = freshKey()
  const stop = (id: string) => asAcme('POST', `/v2/meetings/${id}/active-livestream/stop`, undefined, headers)
  t.equal((await stop(id.toUpperCase())).statusCode, 200)
  t.notOk(simulator.livestreams().some(one => one.meeting_id === id && one.status === 'LIVE'))
  const again = await stop(id)
  t.strictSame([again.statusCode, again.headers['idempotency-replayed']], [200, 'true'])
})

t.test('reads of both spellings share one answer', async t => {
  const [id = ''] = await makeMeetings(store, simulator, 'acme', 1)
  await asAcme('GET', `/v2/meetings/${id}`)
  const shared = await asAcme('GET', `/v2/meetings/${id.toUpperCase()}`)
  t.match(shared.headers['cache-status'], /hit/)
  t.equal(shared.json().data?.id, id)
  t.equal(upstream().filter(call => call.includes(id)).length, 1)
})

t.test('an id that is no UUID is another one in another case, and one that is not yours is missing in any', async t => {
  const id = 'Show_1'
  await meetingsIn(store).assign('acme', 'default', [id], Date.now())
  const list = (call: Client, id: string) => call('GET', `/v2/meetings/${id}/livestreams`)
  t.equal((await list(asAcme, id)).statusCode, 200)
  const missing = withoutRequestId(await list(asAcme, randomUUID()))
  for (const spelt of [id.toUpperCase(), id.toLowerCase()])
    t.equal(withoutRequestId(await list(asAcme, spelt)), missing, spelt)
  for (const spelt of [meeting, meeting.toUpperCase()])
    t.equal(withoutRequestId(await list(asGlobex, spelt)), missing, spelt)
})
