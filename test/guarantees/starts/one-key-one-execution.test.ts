import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import type { Scope } from '../../../src/domain/scope.ts'
import { presets } from '../../../src/domain/scope.ts'
import { startGateway } from '../../../src/gateway.ts'
import { makeLogger } from '../../../src/log/logger.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { searchFor } from '../../support/campaigns/search.ts'
import { manualClock } from '../../support/clock.ts'
import { plenty } from '../../support/config.ts'
import { client, configFor, gateway, type Reply } from '../../support/gateway.ts'
import { isEnvelope, tally } from '../../support/http/helper.ts'
import {
  dataOf,
  freshKey,
  type MutatingRoute,
  makeMeetings,
  mutationsSent,
  needsLive,
  send,
  vendorMutations
} from '../../support/http/mutating.ts'
import { until } from '../../support/until.ts'

const withoutStreamKey: Scope[] = presets.owner.filter(scope => scope !== 'stream-key:read')

/** One call, and what it was answered at first. */
interface Told {
  key: string
  route: MutatingRoute
  meeting: string
  headers: Record<string, string>
  first: Reply
}

t.test('every operation is done once under a key, and its answer is the same for a day whatever happens', async t => {
  const clock = manualClock()
  const world = await gateway(t, { clock, slowDisk: true, config: { writeLimit: plenty } })
  const { simulator, store, storeFile, directory, withKey } = world
  const routes = vendorMutations(world)
  t.ok(routes.length >= 4)
  const told: Told[] = []
  for (const scopes of [withoutStreamKey, presets.owner]) {
    const { key, call } = await withKey('acme', [...scopes])
    const meetings = await makeMeetings(store, simulator, 'acme', routes.length)
    for (const [i, route] of routes.entries()) {
      const meeting = meetings[i] ?? ''
      if (needsLive(route)) simulator.startFromBrowser(meeting)
      const headers = freshKey()
      const before = mutationsSent(simulator)
      const first = await send(call, route, meeting, headers)
      t.ok(first.statusCode < 300, route.operationId)
      t.equal(first.headers['idempotency-replayed'], undefined, route.operationId)
      told.push({ key, route, meeting, headers, first })
      await areReplayed('at once', world.url, told.slice(-1))
      t.equal(mutationsSent(simulator) - before, 1, `${route.operationId} went upstream once`)
    }
  }
  t.strictSame(
    told
      .filter(({ first }) => /"stream_key"/.test(first.body))
      .map(({ route }) => route.operationId)
      .sort(),
    ['createLivestream', 'disableLivestream', 'enableLivestream', 'resetStreamKey', 'startLivestream'],
    'to one caller of two these first answers showed a stream key'
  )

  const before = mutationsSent(simulator)
  for (const { id, status, starts } of simulator.livestreams()) if (starts > 0 && status !== 'IDLE') simulator.end(id)
  await areReplayed('after the livestream has ended', world.url, told)
  clock.advance(7 * 86_400_000 - 60_000)
  await directory.pull()
  await areReplayed('a week later', world.url, told)
  await world.close()
  const config = configFor(simulator, storeFile)
  const restarted = await startGateway({ config, logger: makeLogger('silent'), clock })
  t.teardown(() => restarted.close())
  await areReplayed('after a restart', restarted.url, told)
  t.equal(mutationsSent(simulator), before, 'nothing more went upstream')

  const keys = Object.fromEntries(simulator.livestreams().map(({ stream_key }, i) => [`stream key ${i}`, stream_key]))
  const tokens = Object.fromEntries(simulator.participantTokens.map((token, i) => [`token ${i}`, token.split('.')[2]]))
  const secretsIn = searchFor({ ...keys, ...tokens, 'ingest server': 'rtmps://ingest.example' } as Record<
    string,
    string
  >)
  const files = readdirSync(dirname(storeFile)).filter(name => name.startsWith('livegate.db'))
  for (const name of files) t.strictSame(secretsIn(readFileSync(join(dirname(storeFile), name))), [], name)

  async function areReplayed(when: string, url: string, calls: Told[]): Promise<void> {
    for (const { key, route, meeting, headers, first } of calls) {
      const reply = await send(client(url, `Bearer ${key}`), route, meeting, headers)
      const what = `${route.operationId} ${when}`
      t.equal(reply.statusCode, first.statusCode, what)
      t.equal(reply.headers['idempotency-replayed'], 'true', what)
      const { stream_key, ingest_server, token } = first.json().data
      if ([stream_key, ingest_server, token].every(one => one === undefined)) t.equal(reply.body, first.body, what)
      else t.strictSame(reply.json(), { success: true, data: dataOf(first) }, `${what}, less its secrets`)
    }
  }
})

t.test('a key that was used for one request is refused for any other, and nothing is sent', async t => {
  const world = await gateway(t, { slowDisk: true, config: { writeLimit: plenty } })
  const { asAcme, simulator, store } = world
  const routes = vendorMutations(world)
  for (const route of routes) {
    const [one = '', two = ''] = await makeMeetings(store, simulator, 'acme', 2)
    if (needsLive(route)) simulator.startFromBrowser(one)
    const headers = freshKey()
    const first = await send(asAcme, route, one, headers)
    t.ok(first.statusCode < 300, route.operationId)
    const before = mutationsSent(simulator)
    // An empty body fits every operation: then nothing but the operation is another one.
    const isEmpty = Object.keys(route.body).length === 0
    const mayBeEmpty = ({ operationId }: MutatingRoute) => operationId !== 'addParticipant'
    const bodyOf = (other: MutatingRoute) => (isEmpty && mayBeEmpty(other) ? {} : other.body)
    const others = routes
      .filter(other => other !== route)
      .map(other => () => send(asAcme, other, one, headers, bodyOf(other)))
    if (route.path.includes('{')) others.push(() => send(asAcme, route, two, headers))
    // (An empty body names nobody, which is a 400.)
    const namesSomebody = /^(kick|mute)Participants$/.test(route.operationId)
    if (!mayBeEmpty(route)) others.push(() => send(asAcme, route, one, headers, { ...route.body, name: 'x' }))
    else if (!isEmpty && !namesSomebody) others.push(() => send(asAcme, route, one, headers, {}))
    if (namesSomebody) others.push(() => send(asAcme, route, one, headers, { participant_ids: ['x'] }))
    t.ok(others.length >= routes.length)
    for (const other of others) t.ok(isEnvelope(await other(), 422, 'idempotency_key_reused'), route.operationId)
    t.equal(mutationsSent(simulator), before, `${route.operationId}: nothing was sent`)
    t.strictSame(dataOf(await send(asAcme, route, one, headers)), dataOf(first), 'and the first answer stands')
  }
})

t.test(
  '200 requests with one key at once: one is executed, the others hear 409 while it runs and its answer after',
  async t => {
    const config = { writeLimit: plenty }
    const { asAcme, meeting, simulator, door } = await gatewayBehindDoor(t, { slowDisk: true, config })
    const headers = freshKey()
    const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`, undefined, headers)
    door.hold()
    let ended = 0
    const running = Array.from({ length: 200 }, async () => {
      const reply = await start()
      ended++
      return reply
    })
    await until(() => ended === 199)
    door.release()
    const replies = await Promise.all(running)
    t.strictSame(tally(replies), { 201: 1, 409: 199 })
    const refused = replies.filter(({ statusCode }) => statusCode === 409)
    for (const reply of refused) t.ok(isEnvelope(reply, 409, 'idempotency_key_in_use') && reply.headers['retry-after'])

    const first = replies.find(({ statusCode }) => statusCode === 201)
    const later = await Promise.all(Array.from({ length: 200 }, start))
    t.strictSame(tally(later), { 201: 200 })
    t.strictSame(
      new Set(later.map(({ body }) => body)),
      new Set([JSON.stringify({ success: true, data: first && dataOf(first) })])
    )
    t.equal(mutationsSent(simulator), 1)
  }
)
