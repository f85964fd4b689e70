/** The least that a proxy in Node can do: no log, no key, no limit. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'
import { authorization, connections, listens, upstream } from './settings.ts'

const pool = new Pool(upstream.origin, { connections, pipelining: 1, allowH2: false })

const server = createServer(async (request, response) => {
  const { method, url } = request
  const { connection: _c, 'keep-alive': _k, 'transfer-encoding': _t, ...kept } = request.headers
  const headers = { ...kept, host: upstream.host, authorization }
  const body = method === 'GET' || method === 'HEAD' ? null : request
  try {
    const answer = await pool.request({ method: method as 'GET', path: url ?? '/', headers, body })
    const { connection: _connection, 'keep-alive': _keepAlive, ...fields } = answer.headers
    response.writeHead(answer.statusCode, fields)
    answer.body.pipe(response)
  } catch {
    response.writeHead(502).end()
  }
})
server.keepAliveTimeout = 72_000
server.listen(0, '127.0.0.1', () => listens((server.address() as AddressInfo).port))
