import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import Fastify from 'fastify'
import t from 'tap'
import { listen } from '../../../src/http/connection/listen.ts'
import { rawSocket } from '../../support/http/helper.ts'
import { shortFolder } from '../../support/short-folder.ts'

t.test('localhost is every address that it has, and all connections come to the one server', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.get('/', async () => 'here')
  let calls = 0
  app.server.on('request', () => {
    calls += 1
  })
  // The last one is of no machine: as ::1 where there is no IPv6.
  const addresses = ['127.0.0.1', '127.0.0.2', '192.0.2.1'].map(address => ({ address }))
  const listening = await listen(app, { host: 'localhost', port: 0 }, async () => addresses)
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    const socket = await rawSocket(listening.url.replace('127.0.0.1', host))
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    t.equal((await socket.answer()).body, 'here', host)
    socket.destroy()
  }
  t.equal(calls, 2)
  listening.close()
  await t.rejects(rawSocket(listening.url.replace('127.0.0.1', '127.0.0.2')))
})

t.test('its real addresses are asked for, and another name or address is listened at as it is', async t => {
  for (const host of ['localhost', '127.0.0.1']) {
    const app = Fastify()
    t.teardown(() => app.close())
    app.get('/', async () => 'here')
    const { url, close } = await listen(app, { host, port: 0 })
    t.teardown(close)
    t.equal(await (await fetch(url)).text(), 'here', host)
  }
})

/** The status and text of `GET /` at a Unix socket. */
async function askAt(socketPath: string): Promise<string> {
  const [answer] = await once(request({ socketPath, path: '/', agent: false }).end(), 'response')
  let text = ''
  for await (const part of answer) text += part
  return text
}

/** Leaves a socket at which nobody listens, as a killed process does. */
function leaveStale(path: string): void {
  const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['--eval', script, path])
}

t.test('a Unix socket is for its owner and group, takes the place of a stale one, and is gone at the end', async t => {
  const path = join(shortFolder(t), 'livegate.sock')
  leaveStale(path)
  t.ok(existsSync(path))
  const app = Fastify()
  app.get('/', async () => 'here')
  const { url, close } = await listen(app, { host: `unix:${path}`, port: 3_000 })
  t.equal(url, `unix:${path}`)
  t.equal(statSync(path).mode & 0o777, 0o660)
  t.equal(await askAt(path), 'here')
  close()
  await app.close()
  t.notOk(existsSync(path))
})

t.test('a socket at which somebody listens stays, and so does a file', async t => {
  const folder = shortFolder(t)
  writeFileSync(join(folder, 'file'), 'mine')
  const path = join(folder, 'livegate.sock')
  const [first, second, third] = [Fastify(), Fastify(), Fastify()]
  for (const app of [first, second, third]) t.teardown(() => app.close())
  first.get('/', async () => 'first')
  await listen(first, { host: `unix:${path}`, port: 0 })
  await t.rejects(listen(second, { host: `unix:${path}`, port: 0 }), { code: 'EADDRINUSE' })
  t.equal(await askAt(path), 'first')
  await t.rejects(listen(third, { host: `unix:${join(folder, 'file')}`, port: 0 }), { code: 'EADDRINUSE' })
  t.ok(existsSync(join(folder, 'file')))
})
