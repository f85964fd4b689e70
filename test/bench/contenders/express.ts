/** Express with http-proxy-middleware: no log, no key, no limit. */
import { Agent } from 'node:http'
// @ts-expect-error express brings no types
import express from 'express'
import { createProxyMiddleware } from 'http-proxy-middleware'
import { authorization, connections, listens, upstream } from './settings.ts'

const app = express()
const agent = new Agent({ keepAlive: true, maxSockets: connections })
app.use(createProxyMiddleware({ target: upstream.origin, changeOrigin: true, agent, headers: { authorization } }))
const server = app.listen(0, '127.0.0.1', () => listens(server.address().port))
server.keepAliveTimeout = 72_000
