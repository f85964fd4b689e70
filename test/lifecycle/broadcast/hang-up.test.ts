import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import t from 'tap'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import type { World } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

t.test(
  'a caller that hangs up aborts neither start nor stop: it is done, on record, and the answer to the same key',
  async t => {
    const world = await gatewayBehindDoor(t, { config: { deadlineMs: 60_000 } })
    const { asAcme, meeting, otherMeeting, simulator, store, events, url, door } = world
    const acme = (await world.withKey('acme', ['livestreams:start', 'livestreams:stop'])).key
    const globex = (await world.withKey('globex', ['livestreams:start', 'livestreams:stop'])).key
    const asGlobex = world.as(`Bearer ${globex}`)
    await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)

    const start = { path: `/v2/meetings/${meeting}/livestreams`, key: randomUUID() }
    const stop = { path: `/v2/meetings/${otherMeeting}/active-livestream/stop`, key: randomUUID() }
    const closed = connectionsClosed(world)
    const before = simulator.journal.length
    door.hold()
    const leave = [hangUp(url, acme, start), hangUp(url, globex, stop)]
    await until(() => door.held().length === 2)
    for (const hangUp of leave) hangUp()
    await until(() => closed() === 2)
    t.equal(simulator.journal.length, before, 'the vendor has heard of neither yet')
    door.release()

    const rows = store.sql
      .selectFrom('operations')
      .select(['kind', 'state'])
      .where('idempotency_fingerprint', 'is not', null)
    const states = async () => (await store.engine.read(rows.orderBy('kind').compile())).map(row => Object.values(row))
    await until(async () => (await states()).filter(([, state]) => state !== 'sent').length === 2)
    t.strictSame(await states(), [
      ['start', 'done'],
      ['stop', 'done']
    ])
    for (const { key } of [start, stop]) {
      const ours = (await events()).filter(({ metadata }) => metadata.correlation_uid === key)
      // The record also says that the caller has left before anything was sent.
      const outcomes = ours.filter(({ status_detail }) => status_detail !== 'caller_left')
      t.strictSame(
        outcomes.map(({ unmapped }) => unmapped.outcome),
        ['pending', 'done']
      )
    }

    const started = await asAcme('POST', start.path, {}, { 'idempotency-key': start.key })
    t.equal(started.statusCode, 201)
    t.equal(started.headers['idempotency-replayed'], 'true')
    t.match(simulator.livestreams(), [
      { meeting_id: otherMeeting, status: 'IDLE' },
      { meeting_id: meeting, id: started.json().data.id, status: 'LIVE', starts: 1 }
    ])
    const stopped = await asGlobex('POST', stop.path, undefined, { 'idempotency-key': stop.key })
    t.equal(stopped.statusCode, 200)
    t.equal(stopped.headers['idempotency-replayed'], 'true')
    const posts = simulator.journal.slice(before).filter(({ method }) => method === 'POST')
    t.strictSame(posts.map(({ target }) => target).sort(), [start.path, stop.path].sort(), 'each was sent once')
  }
)

/** Sends a call whose request id is its key. Gives what ends its connection. */
function hangUp(url: string, token: string, { path, key }: { path: string; key: string }): () => void {
  const headers = { authorization: `Bearer ${token}`, 'idempotency-key': key, 'x-request-id': key }
  const call = request(url + path, { method: 'POST', headers, agent: false })
  call.on('error', () => {}) // comes of hanging up
  call.end()
  return () => call.destroy()
}

/** How many calls have lost their caller from now on, as the gateway sees it. */
function connectionsClosed({ app }: World): () => number {
  let closed = 0
  app.server.on('request', (_request, response) => {
    response.on('close', () => {
      if (!response.writableFinished) closed++
    })
  })
  return () => closed
}
