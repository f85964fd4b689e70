import type { FastifyInstance } from 'fastify'
import { buildApp } from '../app.ts'
import { systemClock } from '../domain/values/clock.ts'
import { Connections } from '../http/connection/connections.ts'
import { makeLogger } from '../log/logger.ts'
import { passingOn } from '../tracing/tracing.ts'
import type { Io } from './process/io.ts'

/** Prints the OpenAPI document. It needs no configuration and opens nothing: the routes alone make it. */
export async function openapi(io: Pick<Io, 'out'>): Promise<void> {
  const app = await describedApp()
  await app.ready()
  io.out(JSON.stringify(app.swagger(), null, 2))
  await app.close()
}

/** The app without anything behind it: its routes are described, and never called. */
async function describedApp(): Promise<FastifyInstance> {
  const nothing = (): Promise<never> => Promise.reject(new Error('this app only describes itself'))
  return buildApp({
    directory: {
      tenant: () => null,
      tenants: 0,
      keyByDigest: () => null,
      meeting: nothing,
      livestream: nothing,
      run: nothing,
      session: nothing,
      remembered: { meeting: () => undefined, livestream: () => undefined },
      forget() {},
      onWorkLeft: () => () => {},
      pull: nothing,
      pulledAtMs: 0,
      moved: false
    },
    tracing: passingOn,
    load: { demandRoom() {} },
    noteUse() {},
    adopt: { meeting: nothing, livestream: nothing },
    runs: { find: nothing },
    participants: { find: nothing },
    replays: { operations: { findByKey: nothing }, reconcileNow: nothing },
    appendEvent() {},
    services: {
      auditEvents: { list: nothing },
      events: { stream: nothing },
      liveWaits: { until: nothing },
      webhooks: { demandSigned() {}, prove: nothing, take: nothing, resume: nothing },
      changeRun: nothing,
      rotateKey: nothing,
      runUse: nothing,
      ledger: { list: nothing },
      readActive: nothing,
      start: nothing,
      stop: nothing,
      livestreams: { find: nothing, list: nothing, refresh: nothing, countRunning: nothing },
      runs: { findActive: nothing, find: nothing, ofMeeting: nothing, ofSession: nothing, makeKnown: nothing },
      stage: { findActive: nothing, act: nothing, kickAll: nothing, muteAll: nothing },
      analytics: { overall: nothing, daywise: nothing },
      livestreamChanges: { create: nothing, setEnabled: nothing, resetStreamKey: nothing },
      meetings: { create: nothing, find: nothing, update: nothing, replace: nothing, list: nothing },
      participants: {
        list: nothing,
        find: nothing,
        presets: nothing,
        add: nothing,
        update: nothing,
        replace: nothing,
        remove: nothing,
        refreshToken: nothing
      },
      webhook: { set: nothing, find: nothing, remove: nothing, test: nothing }
    },
    health: { ready: () => true, degraded: () => [], warnings: () => [] },
    draining: () => false,
    connections: new Connections({
      maxConnections: 1,
      keepAliveMs: 1_000,
      trustedProxies: [],
      clock: systemClock,
      onFull() {}
    }),
    fingerprint: () => '',
    clock: systemClock,
    settings: {
      keepAliveMs: 1_000,
      handlerTimeoutMs: 1_000,
      limits: {
        addressLimit: { calls: 1, seconds: 1, burst: 1 },
        readLimit: { calls: 1, seconds: 1, burst: 1 },
        writeLimit: { calls: 1, seconds: 1, burst: 1 }
      },
      maxInFlight: 1,
      maxStreams: 1,
      trustedProxies: [],
      corsOrigins: [],
      docs: 'public',
      logRequestsOneIn: null
    },
    logger: makeLogger('silent')
  })
}
