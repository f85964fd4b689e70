import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { manualClock } from '../../support/clock.ts'
import { gateway } from '../../support/gateway.ts'
import { type RawSocket, rawSocket } from '../../support/http/helper.ts'
import { until } from '../../support/until.ts'

const livez = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'
const proxies = [{ version: 4, bits: 0x7f000000n, prefix: 8 }] as const
/** The longest that an address may be told: unused connections are looked for once a second. */
const looks = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 1_100))

/** A connection from this address of the machine itself; it does nothing by itself, and ends when the other side does. */
async function from(t: Test, url: string, address: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), localAddress: address })
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  socket.resume()
  await once(socket, 'connect')
  return socket
}

/** Sends this once the connection is there, and waits until the gateway has it. */
async function sent(app: FastifyInstance, socket: Socket, bytes: string): Promise<void> {
  const called = once(app.server, 'request')
  socket.write(bytes)
  await called
}

async function asked(url: string, bytes: string): Promise<{ socket: RawSocket; keepAlive: string | undefined }> {
  const socket = await rawSocket(url)
  socket.write(bytes)
  const { headers } = await socket.answer()
  return { socket, keepAlive: headers['keep-alive'] as string | undefined }
}

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test('a connection is kept for 620 s once it has carried a valid key; all others idle for 10 s', async t => {
  const clock = manualClock()
  const { app, url, withKey } = await gateway(t, { clock })
  const { key } = await withKey('acme', ['livestreams:read'])
  const list = (key: string) => `GET /v2/livestreams HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`
  t.equal(app.server.keepAliveTimeout, 620_000)

  const known = await asked(url, list(key))
  const stranger = await asked(url, livez)
  const wrong = await asked(url, list('nobody'))
  const broken = await asked(url, 'GET /%zz HTTP/1.1\r\nhost: x\r\n\r\n')
  const silent = await rawSocket(url)
  t.strictSame(
    [known, stranger, wrong, broken].map(({ keepAlive }) => keepAlive),
    ['timeout=620', 'timeout=10', 'timeout=10', 'timeout=10']
  )
  const arriving = await asked(url, livez)
  arriving.socket.write('GET /liv')

  clock.advance(10_000)
  await looks()
  t.notOk(stranger.socket.ended() || wrong.socket.ended() || silent.ended(), 'who was told 10 s has them')
  clock.advance(1_000)
  await until(() => stranger.socket.ended() && wrong.socket.ended() && silent.ended())
  arriving.socket.write('ez HTTP/1.1\r\nhost: x\r\n\r\n')
  t.equal((await arriving.socket.answer()).statusCode, 200, 'a call that has begun to come is let in')
  clock.advance(600_000)
  await looks()
  t.ok(arriving.socket.ended())
  known.socket.write(livez)
  t.equal((await known.socket.answer()).headers['keep-alive'], 'timeout=620', 'it is known from then on')
})

t.test(
  "a setting says how long a connection is kept, also a stranger's when it is shorter; Node closes by it",
  async t => {
    const { url, withKey } = await gateway(t, { config: { keepAliveMs: 1_000 } })
    const { key } = await withKey('acme', ['livestreams:read'])
    const known = await asked(url, `GET /v2/livestreams HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
    const stranger = await asked(url, livez)
    t.strictSame([known.keepAlive, stranger.keepAlive], ['timeout=1', 'timeout=1'])
    await until(() => known.socket.ended() && stranger.socket.ended())
  }
)

t.test('a trusted proxy is known before it has shown a key', async t => {
  const clock = manualClock()
  const { url } = await gateway(t, { clock, config: { trustedProxies: proxies } })
  const proxy = await asked(url, livez)
  t.equal(proxy.keepAlive, 'timeout=620')
  clock.advance(600_000)
  await looks()
  t.notOk(proxy.socket.ended())
})

t.test('one address has a quarter of all connections: beyond it, its own longest idle makes room', async t => {
  const { url, logs } = await gateway(t, { config: { maxConnections: 20 } })
  const mine = [await from(t, url, '127.0.0.2')]
  for (let i = 1; i < 5; i++) mine.push(await from(t, url, '127.0.0.2'))
  const others = await from(t, url, '127.0.0.3')
  mine[0]?.write(livez)
  await once(mine[0] as Socket, 'data')
  const sixth = await from(t, url, '127.0.0.2')
  await until(() => mine[1]?.closed === true)
  t.strictSame(
    mine.map(socket => socket.closed),
    [false, true, false, false, false]
  )
  t.notOk(sixth.closed || others.closed)
  await from(t, url, '127.0.0.2')
  t.equal(logs().split('make room').length, 2, 'the operator hears of it, and once a minute')
})

t.test('an address that uses all of its connections has the next one closed', async t => {
  const { url, withKey, asAcme, meeting, simulator } = await gateway(t, { config: { maxConnections: 20 } })
  const { key } = await withKey('acme', ['meetings:read'])
  simulator.fail({ match: { path: '/meetings/*' }, delayMs: 3_000 })
  const busy: Socket[] = []
  for (let i = 0; i < 5; i++) {
    const socket = await from(t, url, '127.0.0.2')
    socket.write(`GET /v2/meetings/${meeting} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
    busy.push(socket)
  }
  await until(async () => (await asAcme('GET', '/gateway/usage')).json().data.in_flight.now === 6)
  const next = await from(t, url, '127.0.0.2')
  await until(() => next.closed)
  t.ok(busy.every(socket => !socket.closed))
  const other = await from(t, url, '127.0.0.3')
  other.write(livez)
  await once(other, 'data')
})

t.test('from four fifths on the longest idle is closed first, strangers before those who are known', async t => {
  const { url, withKey } = await gateway(t, { config: { maxConnections: 20 } })
  const { key } = await withKey('acme', ['livestreams:read'])
  const known = await from(t, url, '127.0.0.9')
  known.write(`GET /v2/livestreams HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
  await once(known, 'data')
  const all: Socket[] = []
  for (let i = 0; i < 15; i++) all.push(await from(t, url, `127.0.0.${10 + (i % 4)}`))
  t.ok(all.every(socket => !socket.closed))
  await from(t, url, '127.0.0.20')
  await from(t, url, '127.0.0.20')
  await until(() => all[0]?.closed === true && all[1]?.closed === true)
  t.strictSame(all.filter(socket => socket.closed).length, 2)
  t.notOk(known.closed)
})

t.test('a trusted proxy has all connections, to the last; then known ones make room, once they are idle', async t => {
  const config = { maxConnections: 10, trustedProxies: proxies }
  const { url, withKey, meeting, simulator, app } = await gateway(t, { config })
  const all: Socket[] = []
  for (let i = 0; i < 12; i++) all.push(await from(t, url, '127.0.0.2'))
  await until(() => all.slice(0, 4).every(socket => socket.closed))
  t.strictSame(all.filter(socket => !socket.closed).length, 8)

  const { key } = await withKey('acme', ['meetings:read'])
  const recover = simulator.fail({ match: { path: '/meetings/*' }, delayMs: 600 })
  const busy: Socket[] = []
  let arrived = 0
  app.server.on('request', () => {
    arrived += 1
  })
  for (let i = 0; i < 10; i++) {
    const socket = await from(t, url, '127.0.0.2')
    socket.write(`GET /v2/meetings/${meeting} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`)
    busy.push(socket)
    await until(() => arrived === i + 1)
  }
  const refused = await from(t, url, '127.0.0.2')
  await until(() => refused.closed)
  await Promise.all(busy.map(socket => once(socket, 'data')))
  recover()
  const next = await from(t, url, '127.0.0.2')
  next.write(livez)
  await once(next, 'data')
  await until(() => busy[0]?.closed === true)
  t.strictSame(busy.filter(socket => socket.closed).length, 1)
})

/** Answers to it are more than a system takes for somebody who does not read. */
const manyPages = 'GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(30)

/** A connection from this address whose answers are not read. */
async function unread(t: Test, { url, app }: { url: string; app: FastifyInstance }, address: string): Promise<Socket> {
  const socket = await from(t, url, address)
  socket.pause()
  await sent(app, socket, manyPages)
  return socket
}

t.test('strangers that use their connections make room too, and never for more than three quarters', async t => {
  const clock = manualClock()
  const world = await gateway(t, { clock, config: { maxConnections: 20 } })
  const { url, app, withKey } = world
  const { key } = await withKey('acme', ['livestreams:read'])
  const list = `GET /v2/livestreams HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`
  const known = await from(t, url, '127.0.0.9')
  known.write(list)
  await once(known, 'data')
  const accepted: Socket[] = []
  app.server.on('connection', socket => accepted.push(socket))
  for (let i = 0; i < 16; i++) await unread(t, world, `127.0.0.${10 + (i % 4)}`)
  await until(() => accepted[0]?.destroyed === true)
  t.strictSame(accepted.filter(socket => socket.destroyed).length, 1, 'the one in use for longest')
  for (let i = 0; i < 16; i++) await unread(t, world, `127.0.0.${10 + (i % 4)}`)
  const late = await from(t, url, '127.0.0.20')
  await unread(t, world, '127.0.0.21')
  late.write(list)
  await once(late, 'data')
  known.write(list)
  await once(known, 'data')
  t.notOk(known.closed, 'and no flood of them closes one that has shown a key')
  const empty = await gateway(t, { clock, config: { maxConnections: 20 } })
  const alone: Socket[] = []
  empty.app.server.on('connection', socket => alone.push(socket))
  for (let i = 0; i < 15; i++) await unread(t, empty, `127.0.0.${10 + (i % 4)}`)
  t.notOk(alone.some(socket => socket.destroyed))
  await unread(t, empty, '127.0.0.14')
  await until(() => alone[0]?.destroyed === true)
})

t.test('a connection whose answers nobody reads is cut off after 10 s, also of one with a key', async t => {
  const clock = manualClock()
  const world = await gateway(t, { clock, config: { docs: 'key' } })
  const { key } = await world.withKey('acme', ['livestreams:read'])
  const accepted: Socket[] = []
  world.app.server.on('connection', socket => accepted.push(socket))
  const lazy = await from(t, world.url, '127.0.0.2')
  lazy.pause()
  await sent(world.app, lazy, manyPages.replaceAll('host: x', `host: x\r\nauthorization: Bearer ${key}`))
  await looks()
  await looks()
  clock.advance(9_999)
  await looks()
  t.notOk(accepted[0]?.destroyed)
  clock.advance(1)
  await until(() => accepted[0]?.destroyed === true)
})

t.test('a path that no route knows is refused and counted before its body has come', async t => {
  const addressLimit = { calls: 1, seconds: 60, burst: 1 }
  const { url, withKey } = await gateway(t, { config: { addressLimit } })
  const { key } = await withKey('acme', ['livestreams:read'])
  const slow = async (path: string, field = ''): Promise<number> => {
    const socket = await rawSocket(url)
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\n${field}content-length: 60000\r\n\r\n{`)
    const { statusCode } = await socket.answer()
    socket.destroy()
    return statusCode
  }
  const bearer = `authorization: Bearer ${key}\r\n`
  t.strictSame(
    [await slow('/nope'), await slow('/nope'), await slow('/v2/nope'), await slow('/v2/nope', bearer)],
    [404, 429, 429, 404]
  )
})

t.test(
  'at the end idle connections are closed at once, and what is answered then says that it is the last',
  async t => {
    const { url, withKey, meeting, simulator, close } = await gateway(t, { config: { shutdownMs: 60_000 } })
    const { key } = await withKey('acme', ['livestreams:read', 'meetings:read'])
    const call = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`
    const idle = await asked(url, call('/v2/livestreams'))
    const silent = await rawSocket(url)
    simulator.failNext({ match: { path: '/meetings/*' }, delayMs: 300 })
    const busy = await rawSocket(url)
    busy.write(call(`/v2/meetings/${meeting}`))
    await until(() => simulator.journal.length > 0)
    const closed = close()
    await until(() => idle.socket.ended() && silent.ended())
    const late = await rawSocket(url)
    late.write('GET /%zz HTTP/1.1\r\nhost: x\r\n\r\n')
    t.equal((await late.answer()).headers.connection, 'close', 'also what no hook sees')
    const options = await rawSocket(url)
    options.write('OPTIONS / HTTP/1.0\r\n\r\n')
    t.equal((await options.answer()).statusCode, 503, 'a plain check hears that it ends')
    const { statusCode, headers } = await busy.answer()
    t.strictSame([statusCode, headers.connection, headers['keep-alive']], [200, 'close', undefined])
    await closed
  }
)
