import { connect, type Socket } from 'node:net'
import t from 'tap'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { countOf } from '../support/campaigns.ts'
import { commandLine, startProcess, until } from '../support/cli.ts'
import { client } from '../support/gateway.ts'

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
  'whatever strangers do with more connections than there are file descriptors, each start and stop is done',
  async t => {
    const simulator = await createSimulator({ liveAfterMs: 0 })
    t.teardown(() => simulator.close())
    const cli = commandLine(t)
    const vendor = { DYTE_BASE_URL: simulator.url, DYTE_ORG_ID: simulator.org, DYTE_API_KEY: simulator.key }
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
