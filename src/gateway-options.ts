import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { AuditedOptions } from './audited-store/audited-store.ts'
import type { Config } from './config/config.ts'
import type { Clock, Timing } from './domain/values/clock.ts'
import type { Prefill } from './http/answer/docs-page.ts'
import type { LogOutput } from './log/log-output.ts'
import type { Parts } from './parts.ts'
import type { Directory } from './store/memory/directory.ts'
import type { Store } from './store/store.ts'
import type { Upstreams } from './upstream/provider.ts'
import type { Vendors } from './upstream/vendors/vendor.ts'

export interface Gateway {
  /** Address on which it listens, e.g. `http://127.0.0.1:3000`. */
  readonly url: string
  readonly app: FastifyInstance
  readonly directory: Directory
  /** Waits until every event that was appended so far is written. */
  flushAudit(): Promise<void>
  /** Asks each vendor whether it takes our credentials, and logs where it doesn't. */
  checkUpstreams(): Promise<void>
  /** Ends gracefully: calls under way finish, new ones get 503. Idempotent. */
  close(): Promise<void>
}

export interface GatewayOptions {
  config: Config
  logger: FastifyBaseLogger
  clock?: Clock
  /** Extra trusted certificate authorities for the vendor, in PEM. */
  upstreamCa?: string
  /** Vendor accounts beside the configured ones or instead of them, by the name that their meetings carry. */
  upstreams?: Upstreams
  /** Vendors of the configured accounts. Default: all that Livegate speaks to. */
  vendors?: Vendors
  /** The log's destination, which tells what became of its lines. Without one they count as written. */
  logOutput?: LogOutput
  /** Just before it listens: from then on there is something to finish, and this closes the gateway. */
  onListen?(close: () => Promise<void>): void
  /** Accepts, this once, a store that is older than its last checkpoint. It has no effect on any other. */
  acceptOlder?: AuditedOptions['acceptOlder']
  /** Another way to the receivers of webhooks than by DNS and the usual authorities (a test). */
  webhookWay?: Parts['webhookWay']
  /** Longest time for the audit trail of a mutation to be written, in tests where nobody waits for an answer within a second. */
  writeWithinMs?: number
  /** Longest time for an answer of Valkey, in tests on machines that are busy. */
  valkeyWithinMs?: number
  /** Opens the store in another way than with threads of its own (a test). */
  open?(file: string): Promise<Store>
  /** Time as the watch over the load needs it (a test). */
  timing?: Timing
  /** Values that Swagger UI fills in (the demo). */
  prefill?: Prefill
}
