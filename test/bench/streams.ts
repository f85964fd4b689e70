/**
 * Streams of events at their bounds: `npm run -s bench:streams`. How much memory 5,000 open ones take, how soon all have an event of a run
 * that was seen to go live, and how many calls of the vendor they cost. Gateway, vendor and readers are processes of their own. Linux only.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { grouped, median, milliseconds, report } from '../support/bench/figures.ts'
import { scene } from '../support/bench/scene.ts'
import { megabytes, ownBytes, servedOn } from '../support/bench/served.ts'

const readers = 5_000
const atOnce = 100
const rounds = 7
const bars = { bytes: 250 * 2 ** 20, ms: 250 }

await scene(async context => {
  const env = {
    DATABASE_URL: `sqlite:${join(context.folder, 'livegate.db')}`,
    LIVEGATE_MAX_CONNECTIONS: '15000',
    LIVEGATE_MAX_STREAMS: String(readers),
    LIVEGATE_TRUSTED_PROXIES: '127.0.0.1/32',
    LIVEGATE_WRITE_LIMIT: '1000000/60',
    LIVEGATE_READ_TTL_MS: '0',
    // Lists of what runs are asked for whether there are readers or not.
    LIVEGATE_RECONCILE_MS: '0'
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
    await sleep(8_000)
  }
  await goLive()
  await stop()

  const before = ownBytes(pid)
  const callsBefore = await vendorCalls()
  const heard: number[] = []
  const sockets: Socket[] = []
  for (let i = 0; i < readers; i += atOnce)
    sockets.push(...(await Promise.all(Array.from({ length: atOnce }, () => openReader(url, key, meeting, heard)))))
  context.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  await sleep(20_000) // a heartbeat for each
  const more = ownBytes(pid) - before
  const what = `${grouped(readers)} open streams`
  report(`memory of ${what}, more than none`, megabytes(more), {
    reached: more <= bars.bytes,
    is: megabytes(bars.bytes)
  })
  const calls = (await vendorCalls()) - callsBefore
  report(`calls of the vendor for ${what}`, String(calls), { reached: calls === 0, is: '0' })

  const middles: number[] = []
  const lasts: number[] = []
  for (let round = 0; round < rounds; round++) {
    heard.length = 0
    const seenAtMs = await goLive()
    while (heard.length < readers) await sleep(5)
    middles.push(Math.max(0, median(heard) - seenAtMs))
    lasts.push(Math.max(0, Math.max(...heard) - seenAtMs))
    await stop()
  }
  const middle = median(middles)
  report(`half of ${what} have the event, after the answer that shows LIVE`, milliseconds(middle), {
    reached: middle <= bars.ms,
    is: milliseconds(bars.ms)
  })
  report('all of them', milliseconds(median(lasts)))
  report('memory after that, more than none', megabytes(ownBytes(pid) - before))
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
