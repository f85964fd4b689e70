import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import type { Fingerprint } from './audit/keys/key-files.ts'
import type { ReadRollup } from './audit/rollup.ts'
import type { Config } from './config/config.ts'
import type { Observer } from './domain/observer.ts'
import type { Clock, Timing } from './domain/values/clock.ts'
import { drain } from './gateway/drain.ts'
import { httpSettings } from './gateway/http-settings.ts'
import type { OpenValkey } from './gateway/open-valkey.ts'
import type { GatewayState } from './gateway/readiness.ts'
import type { Prefill } from './http/answer/docs-page.ts'
import type { Connections } from './http/connection/connections.ts'
import { listen } from './http/connection/listen.ts'
import { callersConnections } from './http/connection/open-files.ts'
import { LoadWatch } from './http/limits/load-watch.ts'
import type { Services } from './parts.ts'
import type { Health } from './routes/health.ts'
import type { Directory } from './store/memory/directory.ts'
import type { Tracing } from './tracing/tracing.ts'

export interface DoorsDeps {
  config: Config
  logger: FastifyBaseLogger
  clock: Clock
  directory: Directory
  tracing: Tracing
  fingerprint: Fingerprint
  noteUse(keyId: string): void
  services: Services
  /** Counts for all replicas; null where each counts for itself. */
  valkey: Pick<OpenValkey, 'counter'> | null
  rollup: Pick<ReadRollup, 'append'>
  state: GatewayState
  health: Health
  observer: Observer | undefined
  /** Cuts off calls that wait for the vendor. */
  ending: AbortController
  /** Everything that is to be closed at the end, in reverse order, and the way to close it. */
  opened: (() => unknown)[]
  closeAll(): Promise<void>
  /** Just before it listens: from then on there is something to finish, and this closes the gateway. */
  onListen?: ((close: () => Promise<void>) => void) | undefined
  /** Time as the watch over the load needs it (a test). */
  timing?: Timing | undefined
  /** Values that Swagger UI fills in (the demo). */
  prefill?: Prefill | undefined
}

/** The doors of a gateway, through which callers come. */
export interface Doors {
  readonly url: string
  readonly connections: Pick<Connections, 'size' | 'most'>
  readonly app: FastifyInstance
  /** Lets the calls under way finish, then closes all that is open. Idempotent. */
  close(): Promise<void>
}

/** Opens the doors: from then on callers are served. */
export async function openDoors(deps: DoorsDeps): Promise<Doors> {
  const { config, logger, clock, observer, directory, tracing, fingerprint, rollup, state, health, ending, opened } =
    deps
  const { routes, broadcasts, adopt, operations, runs, participants, push } = deps.services
  const { auditTrail, reconcileLoop } = broadcasts
  const connections = callersConnections({ config, logger, clock })
  const load = new LoadWatch({ log: logger, observer, timing: deps.timing })
  opened.push(() => load.close())
  const app = await buildApp({
    ...{ load, directory, runs, participants, connections, adopt, tracing, clock, logger, observer },
    ...{ fingerprint, health, noteUse: deps.noteUse },
    services: routes,
    counter: deps.valkey?.counter,
    replays: { operations, reconcileNow: reconcileLoop.now.bind(reconcileLoop) },
    appendEvent: rollup.append.bind(rollup),
    draining: () => state.draining,
    settings: { ...httpSettings(config), prefill: deps.prefill }
  })
  opened.push(() => app.close())

  const finish = (): Promise<void> => {
    state.draining = true
    return drain({ connections, broadcasts, auditTrail, push, ending, shutdownMs: config.shutdownMs })
  }
  const listening = listen(app, config).then(({ url, close: closeDoors }) => {
    opened.push(closeDoors)
    return url
  })
  let closing: Promise<void> | null = null
  const close = (): Promise<void> => {
    closing ??= listening.then(finish).finally(deps.closeAll)
    return closing
  }
  deps.onListen?.(close)
  return { url: await listening, app, connections, close }
}
