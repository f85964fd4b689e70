import { connect, type Socket } from 'node:net'
import t from 'tap'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { commandLine, startProcess, until } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'
import { client, gateway } from '../../support/gateway.ts'
import { countOf } from '../../support/runner/campaigns.ts'
import { until as untilHolds } from '../../support/until.ts'

const openFiles = 256
const addresses = Array.from({ length: 10 }, (_, i) => `127.0.0.${i + 2}`)
/** How a stranger uses a connection, and whether it goes on sending. */
const kinds: [bytes: string, drips: boolean][] = [
  ['', false],
  ['GET /livez HTTP/1.1\r\nhost: x\r\nx-a: ', true],
  ['GET /livez HTTP/1.1\r\nhost: x\r\n\r\n', false],
  ['POST /v2/meetings HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n', true],
  ['POST /v2/meetings HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n', true],
  ['CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n', true],
  ['no HTTP\r\n\r\n', true]
]

t.test(
  'each start and stop is done, whatever strangers do with more connections than there are file descriptors',
  async t => {
    const simulator = await createSimulator({ liveAfterMs: 0 })
    t.teardown(() => simulator.close())
    const cli = commandLine(t)
    const vendor = environmentOf(simulator)
    const plenty = {
      LIVEGATE_WRITE_LIMIT: '10000/60',
      LIVEGATE_READ_TTL_MS: '0',
      LIVEGATE_UPSTREAM_BUDGET: '1000000/60'
    }
    const child = startProcess(t, ['serve'], { ...cli.env, ...vendor, ...plenty, PORT: '0' }, { openFiles })
    const [, url = ''] = await child.line(/"url":"([^"]+)".*"msg":"livegate listens"/)
    await cli.json('tenant', 'create', 'acme')
    const { key } = await cli.json('key', 'create', 'acme', '--preset', 'owner')
    const asAcme = client(url, `Bearer ${key}`)
    await until(
      () => asAcme('GET', '/v2/livestreams'),
      ({ statusCode }) => statusCode === 200
    )

    const { hostname, port } = new URL(url)
    const open = new Set<Socket>()
    const dripping = setInterval(() => {
      for (const socket of open) if (socket.writable) socket.write('x')
    }, 500)
    t.teardown(() => {
      clearInterval(dripping)
      for (const socket of open) socket.destroy()
    })
    const begin = (i: number): void => {
      const [bytes, drips] = kinds[i % kinds.length] ?? ['', false]
      const localAddress = addresses[i % addresses.length] ?? ''
      const socket = connect({ host: hostname, port: Number(port), localAddress, allowHalfOpen: true })
      socket.on('error', () => {})
      socket.on('close', () => open.delete(socket))
      socket.write(bytes)
      if (drips) open.add(socket)
      t.teardown(() => socket.destroy())
    }

    const statuses: number[] = []
    const count = countOf('connections')
    const rounds = count / 100
    for (let i = 0; i < count; i++) {
      begin(i)
      if (i % 100 !== 99) continue
      const { id } = (await asAcme('POST', '/v2/meetings', { title: `show ${i}` })).json().data
      const calls = [`/v2/meetings/${id}/livestreams`, `/v2/meetings/${id}/active-livestream/stop`]
      for (const path of calls) statuses.push((await asAcme('POST', path)).statusCode)
    }
    t.strictSame(statuses, Array.from({ length: rounds }, () => [201, 200]).flat())
    t.ok(
      simulator.livestreams().every(({ status }) => status === 'IDLE'),
      'and nothing is live'
    )
    child.signal('SIGTERM')
    const { code, stdout } = await child.ended
    t.equal(code, 0)
    t.notMatch(stdout, /EMFILE|"level":(50|60)/)
  }
)

t.test(
  'a connection that drips is cut off, whatever it is that never ends, and has heard one answer at most',
  async t => {
    const { app, url, logs, asAcme, withKey } = await gateway(t)
    // Half a minute otherwise; Node looks once a second.
    app.server.requestTimeout = 300
    app.server.headersTimeout = 300
    const { key } = await withKey('acme', ['meetings:write', 'livestreams:stop'])
    const post = `POST /v2/meetings HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n`
    const withKeys: [string, boolean][] = [
      [`${post}content-length: 100000\r\n\r\n`, true],
      [`${post}content-length: 10000\r\n\r\n`, true],
      [`${post}transfer-encoding: chunked\r\n\r\n`, true],
      [`${post.replace('meetings', 'meetings/none/active-livestream/stop')}content-length: 100000\r\n\r\n`, true]
    ]
    const { hostname, port } = new URL(url)
    const dripping = [...kinds, ...withKeys].filter(([, drips]) => drips)
    const all = Array.from({ length: 200 }, (_, i) => {
      const [bytes = ''] = dripping[i % dripping.length] ?? []
      const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
      const heard = { bytes, text: '', socket }
      socket.on('data', chunk => {
        heard.text += chunk
      })
      socket.on('error', () => {})
      socket.write(bytes)
      return heard
    })
    const timer = setInterval(() => {
      for (const { socket } of all) if (socket.writable) socket.write('x')
    }, 50)
    t.teardown(() => clearInterval(timer))
    await untilHolds(() => all.every(({ socket }) => socket.closed))
    for (const { bytes, text } of all) {
      if (text.split('HTTP/1.1 ').length > 2) t.fail(`${bytes} was answered twice: ${text}`)
    }
    t.ok(all.filter(({ text }) => text.startsWith('HTTP/1.1 ')).length > 150, 'most have heard why')
    t.notMatch(logs(), 'already sent')
    t.equal((await asAcme('GET', '/v2/meetings')).statusCode, 200)
  }
)
