import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { type Network, parseNetwork } from '../../../src/domain/values/address.ts'
import { gateway } from '../../support/gateway.ts'
import { until } from '../../support/until.ts'

const readers = 1_000
/** A stream may take 50 KB: 5,000 of them 250 MB. The reader's own end is in this process too. */
const mostBytes = 50_000

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function usedBytes(): number {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function openReader(url: URL, key: string, meeting: string, heard: Set<Socket>): Promise<Socket> {
  const socket = connect(Number(url.port), url.hostname)
  await once(socket, 'connect')
  socket.write(`GET /gateway/events?meeting_id=${meeting} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.includes('200 OK')) throw new Error(head.toString())
  socket.on('data', (chunk: Buffer) => chunk.includes('event: livestream.live') && heard.add(socket))
  return socket
}

t.test('a thousand readers of one meeting cost no call of the vendor, and little memory', async t => {
  const { url, withKey, asAcme, meeting, upstream } = await gateway(t, {
    config: {
      trustedProxies: [parseNetwork('127.0.0.1/32') as Network],
      readLimit: { calls: 10_000, seconds: 60, burst: 10_000 }
    }
  })
  const { key } = await withKey('acme', ['livestreams:read'])
  const heard = new Set<Socket>()
  const sockets: Socket[] = []
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  const openSome = (count: number) =>
    Promise.all(Array.from({ length: count }, () => openReader(new URL(url), key, meeting, heard)))
  sockets.push(...(await openSome(100)))
  const before = usedBytes()
  for (let i = 100; i < readers; i += 100) sockets.push(...(await openSome(100)))
  const each = (usedBytes() - before) / (readers - 100)
  t.ok(each < mostBytes, `${Math.round(each)} bytes each`)
  t.strictSame(upstream(), [])

  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await until(async () => {
    const active = await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
    return active.json().data?.status === 'LIVE'
  })
  const calls = upstream().length
  await until(() => heard.size === readers)
  t.equal(upstream().length, calls)
})
