import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { refused, runHere } from '../support/cli.ts'
import { gateway } from '../support/gateway.ts'
import { shortFolder } from '../support/short-folder.ts'

t.test('healthcheck is 0 when the gateway of this machine answers', async t => {
  const { url } = await gateway(t)
  const { port: PORT } = new URL(url)
  for (const HOST of ['127.0.0.1', '0.0.0.0', '::', '', undefined]) {
    t.strictSame(
      await runHere(['healthcheck'], { HOST, PORT }),
      { code: 0, stdout: 'ok\n', stderr: '' },
      `HOST=${HOST}`
    )
  }
})

t.test('healthcheck is 1 and one line when nobody answers, or somebody else', async t => {
  const server = createServer((_request, response) => response.writeHead(503).end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const sick = await runHere(['healthcheck'], { PORT: String(port) })
  t.equal(sick.code, 1)
  t.equal(refused(sick), `http://127.0.0.1:${port}/livez answers 503`)
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
  const absent = await runHere(['healthcheck'], { PORT: String(port) })
  t.equal(absent.code, 1)
  t.equal(refused(absent), `http://127.0.0.1:${port}/livez does not answer`)
  const elsewhere = await runHere(['healthcheck'], { HOST: '::1', PORT: 'nonsense' })
  t.equal(refused(elsewhere), 'http://[::1]:nonsense/livez does not answer')
})

t.test('healthcheck asks at a Unix socket too', async t => {
  const folder = shortFolder(t)
  const HOST = `unix:${folder}/livegate.sock`
  await gateway(t, { config: { host: HOST } })
  t.strictSame(await runHere(['healthcheck'], { HOST }), { code: 0, stdout: 'ok\n', stderr: '' })
  const absent = await runHere(['healthcheck'], { HOST: `${HOST}.other` })
  t.equal(refused(absent), `${HOST}.other /livez does not answer`)
})
