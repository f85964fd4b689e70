import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import t from 'tap'
import { makeKey } from '../../../src/domain/api-key.ts'
import { RateLimited } from '../../../src/domain/refusals/failures.ts'
import { limits } from '../../../src/http/limits/rate-limit.ts'
import { addressReader } from '../../../src/http/request/client-address.ts'
import { manualClock } from '../../support/clock.ts'
import { gateway, type Reply } from '../../support/gateway.ts'
import { rawSocket, tally } from '../../support/http/helper.ts'

t.test('a hundred thousand addresses free nobody who is throttled, and cost no more than 20 MB', async t => {
  const limit = { calls: 5, seconds: 60, burst: 5 }
  const everybody = [{ version: 4, bits: 0n, prefix: 0 }] as const
  const all = { addressLimit: limit, readLimit: limit, writeLimit: limit }
  const app = Fastify()
  t.teardown(() => app.close())
  const limiter = await limits(app, { ...all, addressOf: addressReader(everybody), clock: manualClock() })
  const reply = { header() {} } as unknown as FastifyReply
  const requestOf = (address: string) =>
    ({
      raw: { socket: { remoteAddress: '10.0.0.1' } },
      headers: { 'x-forwarded-for': address },
      method: 'GET',
      routeOptions: { config: {} },
      caller: { tenant: { id: 'acme', readLimit: null, writeLimit: null } }
    }) as unknown as FastifyRequest
  const isRefused = (call: Promise<unknown>) =>
    call.then(
      () => false,
      error => error instanceof RateLimited
    )
  const stranger = requestOf('2001:db8:ffff::')
  while (!(await isRefused(limiter.address(stranger, reply))));
  while (!(await isRefused(limiter.tenant(stranger, reply))));

  const before = heapUsed()
  let refused = 0
  for (let i = 0; i < 100_000; i++) {
    const address = `2001:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::1`
    if (await isRefused(limiter.address(requestOf(address), reply))) refused++
  }
  const heldMb = (heapUsed() - before) / 1e6
  t.comment(`${heldMb.toFixed(1)} MB`)
  t.ok(heldMb <= 20)
  t.equal(refused, 100_000 - 19_999 - 5, 'each of those that fit in has a bucket of its own; the others share one')
  t.ok(await isRefused(limiter.address(stranger, reply)))
  t.ok(await isRefused(limiter.tenant(stranger, reply)))
})

t.test('ten thousand strange keys change nothing for a tenant, throttled or not, and cost next to nothing', async t => {
  const clock = manualClock()
  const limit = { calls: 5, seconds: 60, burst: 5 }
  const { asAcme, asGlobex, url, flushAudit, upstream } = await gateway(t, { clock, config: { readLimit: limit } })
  const list = () => asAcme('GET', '/v2/livestreams')
  for (let i = 0; i < 5; i++) await list()
  t.equal((await list()).statusCode, 429)

  const flood = async (count: number): Promise<Reply[]> => {
    const socket = await rawSocket(url)
    const replies: Reply[] = []
    for (let sent = 0; sent < count; sent += 200) {
      const keys = Array.from({ length: 200 }, () => makeKey().key.reveal())
      socket.write(
        keys.map(key => `GET /v2/livestreams HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`).join('')
      )
      for (const _ of keys) replies.push(await socket.answer())
    }
    socket.destroy()
    return replies
  }
  const first = tally(await flood(1_000)) // loads and caches what is needed once
  t.strictSame(first, { 401: 120, 429: 880 })
  await flushAudit()
  const before = heapUsed()
  t.strictSame(tally(await flood(10_000)), { 429: 10_000 })
  await flushAudit()
  const heldMb = (heapUsed() - before) / 1e6
  t.comment(`${heldMb.toFixed(1)} MB`)
  t.ok(heldMb <= 20)
  t.equal((await list()).statusCode, 429)
  t.equal((await asGlobex('GET', '/v2/livestreams')).statusCode, 200)
  t.strictSame(upstream(), [], 'and the vendor has heard nothing')
})

/** Bytes that are really held: after a collection. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}
