/**
 * Streams of events at their bounds: `npm run -s bench:streams`. How many calls of the vendor 1,000 open ones cost, how soon they have the
 * event of a run that was seen to go live, and how much memory 5,000 take. Gateway, vendor and readers are processes of their own. Linux only.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { grouped, median, milliseconds, report } from '../support/bench/figures.ts'
import { scene } from '../support/bench/scene.ts'
import { megabytes, ownBytes, servedOn } from '../support/bench/served.ts'

const few = 1_000
const many = 5_000
const atOnce = 100
const rounds = 5
const bars = { bytes: 250 * 2 ** 20, ms: 250 }

await scene(async context => {
  const env = {
    DATABASE_URL: `sqlite:${join(context.folder, 'livegate.db')}`,
    LIVEGATE_MAX_CONNECTIONS: '15000',
    LIVEGATE_MAX_STREAMS: String(many),
    LIVEGATE_TRUSTED_PROXIES: '127.0.0.1/32',
    LIVEGATE_WRITE_LIMIT: '1000000/60',
    LIVEGATE_READ_TTL_MS: '0'
  }
  const { url, vendorUrl, key, meeting, pid } = await servedOn(context, env)
  const headers = { authorization: `Bearer ${key}` }
  const call = async (method: string, path: string) => {
    const reply = await fetch(`${url}/v2/meetings/${meeting}/${path}`, { method, headers })
    return (await reply.json()) as { data?: { status?: string } }
  }
  const vendorCalls = async (): Promise<number> => {
    const reply = await fetch(new URL('/_simulator/journal', vendorUrl))
    return ((await reply.json()) as { data: unknown[] }).data.length
  }
  const isLive = async (): Promise<boolean> => (await call('GET', 'active-livestream')).data?.status === 'LIVE'
  /** Gives the time of the answer that has shown LIVE. */
  const goLive = async (): Promise<number> => {
    await call('POST', 'livestreams')
    while (!(await isLive())) await sleep(20)
    return performance.now()
  }
  /** The vendor goes on showing the run for a moment, and its stop is looked after for some seconds. */
  const stop = async (): Promise<void> => {
    await call('POST', 'active-livestream/stop')
    await sleep(5_000)
  }
  for (let i = 0; i < 100; i++) await isLive()

  const before = ownBytes(pid)
  const callsBefore = await vendorCalls()
  const heard: number[] = []
  const sockets: Socket[] = []
  context.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  const openUpTo = async (count: number): Promise<void> => {
    const some = () => Array.from({ length: atOnce }, () => openReader(url, key, meeting, heard))
    while (sockets.length < count) sockets.push(...(await Promise.all(some())))
    await sleep(20_000) // a heartbeat for each
  }

  await openUpTo(few)
  const calls = (await vendorCalls()) - callsBefore
  report(`calls of the vendor for ${grouped(few)} open streams`, String(calls), { reached: calls === 0, is: '0' })
  const middles: number[] = []
  const lasts: number[] = []
  for (let round = 0; round < rounds; round++) {
    heard.length = 0
    const seenAtMs = await goLive()
    while (heard.length < few) await sleep(1)
    middles.push(Math.max(0, median(heard) - seenAtMs))
    lasts.push(Math.max(0, Math.max(...heard) - seenAtMs))
    await stop()
  }
  const middle = median(middles)
  const bar = { reached: middle <= bars.ms, is: milliseconds(bars.ms) }
  report('half of them have the event, after the answer that shows LIVE', milliseconds(middle), bar)
  report('all of them', milliseconds(median(lasts)))

  await openUpTo(many)
  const more = ownBytes(pid) - before
  const memoryBar = { reached: more <= bars.bytes, is: megabytes(bars.bytes) }
  report(`memory of ${grouped(many)} open streams, more than none`, megabytes(more), memoryBar)
})

/** A reader that costs little: it looks for the name of the event in the bytes. */
async function openReader(url: string, key: string, meeting: string, heard: number[]): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  socket.write(`GET /gateway/events?meeting_id=${meeting} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.includes('200 OK')) throw new Error(head.toString())
  socket.on('data', (chunk: Buffer) => {
    if (!chunk.includes('event: livestream.live')) return
    heard.push(performance.now())
  })
  return socket
}
