import { randomUUID } from 'node:crypto'
import t from 'tap'
import { presets, type Scope } from '../../../src/domain/scope.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import { plenty } from '../../support/config.ts'
import { gateway, type Reply } from '../../support/gateway.ts'
import { rawSocket, tally } from '../../support/http/helper.ts'
import { dataOf, freshKey } from '../../support/http/mutating.ts'
import { until } from '../../support/until.ts'

t.test('a thousand keys that two tenants use alike: none learns of the other, or has its answers', async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator, url, withKey } = await gateway(t, {
    slowDisk: true,
    config: { writeLimit: plenty }
  })
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
  t.equal((await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`)).statusCode, 201)
  // Every tenth asks for the very same; the others find their meeting live, which takes less time.
  const path = (id: string) => (i: number) => (i % 10 === 0 ? '/v2/meetings' : `/v2/meetings/${id}/livestreams`)
  const acme = (await withKey('acme', presets.owner as Scope[])).key
  const globex = (await withKey('globex', presets.owner as Scope[])).key
  const asAcmeWith = (keys: string[]) => postWith(url, acme, keys, path(meeting))
  const asGlobexWith = (keys: string[]) => postWith(url, globex, keys, path(otherMeeting))

  const keys = Array.from({ length: 1_000 }, randomUUID)
  const acmes = await asAcmeWith(keys)
  const globexs = await asGlobexWith(keys)
  t.strictSame(tally(acmes), { 200: 900, 201: 100 })
  t.strictSame(tally(globexs), { 200: 900, 201: 100 })
  t.equal(simulator.journal.filter(({ target }) => target === '/v2/meetings').length, 200, 'each was executed')
  const fresh = await asGlobexWith(Array.from({ length: 20 }, randomUUID))
  t.strictSame(new Set(globexs.map(outwardly)), new Set(fresh.map(outwardly)), 'a used key looks like a new one')

  const sent = simulator.journal.length
  const some = keys.slice(0, 100)
  t.strictSame((await asAcmeWith(some)).map(dataOf), acmes.slice(0, 100).map(dataOf))
  t.strictSame((await asGlobexWith(some)).map(dataOf), globexs.slice(0, 100).map(dataOf))
  t.equal(simulator.journal.length, sent)
})

t.test("a key that one tenant's open or unsettled request holds is free for another tenant", async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator, door } = await gatewayBehindDoor(t, {
    slowDisk: true
  })
  const headers = freshKey()
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`, undefined, headers)
  const create = () => asGlobex('POST', '/v2/meetings', undefined, headers)
  simulator.failNext({ match: { method: 'POST', path: `/meetings/${meeting}/livestreams` }, hangUp: true })
  door.hold('POST')
  const starting = start()
  const creating = create()
  await until(() => door.held().length === 2)
  t.strictSame(tally(await Promise.all([start(), create()])), { 409: 2 }, 'each has its own under way')
  door.release()
  t.equal((await creating).statusCode, 201)
  t.match((await starting).json().error, { outcome: 'unknown' })
  t.equal((await start()).statusCode, 409, 'of one the outcome is unknown')
  t.equal((await create()).headers['idempotency-replayed'], 'true', 'and of the other it is known')
  const other = await asGlobex('POST', `/v2/meetings/${otherMeeting}/livestreams`, undefined, headers)
  t.equal(other.statusCode, 422)
})

/** The parts of an answer that a caller can tell it by, but for ids and times. */
function outwardly({ statusCode, headers, body }: Reply): string {
  const fields = Object.keys(headers).sort()
  const data = body.replace(/"(id|meeting_id|stream_key|playback_url|created_at|updated_at)":"[^"]*"/g, '"$1":""')
  return JSON.stringify([statusCode, fields, headers['cache-control'], data])
}

/** Posts under each of these keys, over twenty sockets: a new one for each call would take much longer. */
async function postWith(url: string, key: string, idempotencyKeys: string[], path: (i: number) => string) {
  const replies: Reply[] = []
  let next = 0
  const work = async (): Promise<void> => {
    const socket = await rawSocket(url)
    for (let i = next++; i < idempotencyKeys.length; i = next++) {
      const fields = `Host: x\r\nAuthorization: Bearer ${key}\r\nIdempotency-Key: ${idempotencyKeys[i]}\r\n`
      socket.write(`POST ${path(i)} HTTP/1.1\r\n${fields}Content-Length: 0\r\n\r\n`)
      replies[i] = await socket.answer()
    }
    socket.destroy()
  }
  await Promise.all(Array.from({ length: 20 }, work))
  return replies
}
