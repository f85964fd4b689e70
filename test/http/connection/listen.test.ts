import Fastify from 'fastify'
import t from 'tap'
import { listen } from '../../../src/http/connection/listen.ts'
import { rawSocket } from '../../support/http/helper.ts'

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
