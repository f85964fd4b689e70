import t from 'tap'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { all, queuedCalls, times } from '../../support/broadcast/queued-calls.ts'
import { says } from '../../support/campaigns/trouble.ts'
import type { Reply } from '../../support/gateway.ts'
import { tally } from '../../support/http/helper.ts'
import { freshKey } from '../../support/http/mutating.ts'

const { aMeeting, asAcme, simulator, store, withKey, door, inLine, events } = await queuedCalls(t)
const onlyStart = (await withKey('acme', ['livestreams:start'])).call

t.test('200 starts at once: one is sent, and all have its livestream with the fields of their own scopes', async t => {
  const { start, sent } = await aMeeting()
  door.hold()
  const replies = await inLine(times(200, i => () => start(i % 2 === 0 ? asAcme : onlyStart)))
  door.release()
  const told = await all(replies)
  t.strictSame(tally(told), { 200: 199, 201: 1 })
  t.equal(new Set(told.map(reply => reply.json().data.id)).size, 1)
  const secret = ({ body, headers }: Reply) =>
    `${body.includes('"stream_key"')} ${body.includes('"ingest_server"')} ${headers['cache-control']}`
  t.strictSame(
    new Set(told.filter((_, i) => i % 2 === 0).map(secret)),
    new Set(['true true no-store']),
    'with the scope'
  )
  t.strictSame(
    new Set(told.filter((_, i) => i % 2 === 1).map(secret)),
    new Set(['false false undefined']),
    'without it'
  )
  t.strictSame(sent(), ['look', 'start'])
})

t.test('50 starts under 50 keys at once: one is sent, and each key has its own answer again, live or not', async t => {
  const { start, sent } = await aMeeting()
  const keys = times(50, freshKey)
  door.hold()
  const replies = await inLine(keys.map(key => () => start(onlyStart, key)))
  door.release()
  const told = await all(replies)
  t.strictSame(tally(told), { 200: 49, 201: 1 })
  t.strictSame(sent(), ['look', 'start'])
  simulator.end(told[0]?.json().data.id)
  const again = await all(keys.map(key => start(onlyStart, key)))
  t.strictSame(
    again.map(({ statusCode, body, headers }) => [statusCode, body, headers['idempotency-replayed']]),
    told.map(({ statusCode, body }) => [statusCode, body, 'true'])
  )
  t.strictSame(sent(), ['look', 'start'])
})

t.test('a field of the start that leads is refused to its caller alone: the next one leads', async t => {
  const { id, sent } = await aMeeting()
  const start = (name: string) => () => asAcme('POST', `/v2/meetings/${id}/livestreams`, { name })
  door.hold()
  const replies = await inLine([start('no *'), start('friday-show'), start('monday-show')])
  door.release()
  const [refused, started, joined] = await all(replies)
  t.match(refused?.json().error, { type: 'invalid_input', details: [{ field: 'body.name' }] })
  t.match([started?.statusCode, started?.json().data.name], [201, 'friday-show'])
  t.match([joined?.statusCode, joined?.json().data.name], [200, 'friday-show'])
  t.strictSame(sent(), ['look', 'start', 'look', 'start'])
})

t.test('while an earlier start is not settled, those that come at once ask about it together', async t => {
  const { id, start, sent } = await aMeeting()
  simulator.failNext({ match: { method: 'POST', path: `/meetings/${id}/livestreams` }, hangUp: true })
  t.equal(says(await start()), '502 upstream_unreachable unknown')
  const before = sent().length
  door.hold()
  const starting = await inLine(times(50, () => () => start()))
  door.release()
  t.strictSame(new Set((await all(starting)).map(says)), new Set(['409 start_unsettled not_sent']))
  const looks = sent().slice(before)
  // The gateway looks by itself as well, every few seconds.
  t.ok(looks.length < 25, `${looks.length} looks`)
  t.notOk(looks.includes('start'))
})

t.test(
  'a start under a key of a meeting that is live: one row, one event, and the same 200 when it is over',
  async t => {
    const { id, start, sent } = await aMeeting()
    const run = simulator.startFromBrowser(id)
    const key = freshKey()
    const reply = await start(asAcme, { ...key, 'x-request-id': 'already-live' })
    t.equal(reply.statusCode, 200)
    const rows = (await operationsIn(store).list({ limit: 1_000 })).filter(({ meetingId }) => meetingId === id)
    t.match(rows, [{ kind: 'start', state: 'done', livestreamId: run.id, requestId: 'already-live' }])
    t.equal(rows.length, 1)
    const written = (await events()).filter(({ metadata }) => metadata.correlation_uid === 'already-live')
    t.strictSame(
      written.map(({ unmapped, status_code }) => [unmapped.outcome, status_code, unmapped.stream_key_revealed]),
      [['done', '200', true]]
    )
    simulator.end(run.id)
    const again = await start(onlyStart, key)
    t.equal(again.statusCode, 200)
    t.equal(again.headers['idempotency-replayed'], 'true')
    const { stream_key: _key, ingest_server: _server, ...data } = reply.json().data
    t.strictSame(again.json().data, data)
    t.strictSame(sent(), ['look'])
  }
)

t.test(
  'stops at once send two: the first, and one that all others share, each with its own answer under its key',
  async t => {
    const { start, stop, sent, isLive } = await aMeeting()
    await start()
    const keys = times(20, freshKey)
    door.hold('POST')
    const stopping = await inLine([() => stop(), ...keys.map(key => () => stop(asAcme, key))])
    door.release()
    const told = await all(stopping)
    t.strictSame(tally(told), { 200: 21 })
    t.equal(sent().filter(call => call === 'stop').length, 2, 'what was sent before they came is no answer to them')
    t.equal((await start()).statusCode, 201)
    for (const key of keys) {
      const again = await stop(asAcme, key)
      t.equal(again.headers['idempotency-replayed'], 'true')
      t.equal(again.body, told[1]?.body)
    }
    t.ok(isLive(), 'and the new run is not stopped by it')
  }
)
