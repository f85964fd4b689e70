import type { Config } from '../config/config.ts'

/** The settings of the HTTP side. */
export function httpSettings(config: Config) {
  const { keepAliveMs, maxInFlight, maxStreams, trustedProxies, corsOrigins, docs, deadlineMs, logRequestsOneIn } =
    config
  const { addressLimit, readLimit, writeLimit } = config
  return {
    ...{ keepAliveMs, maxInFlight, maxStreams, trustedProxies, corsOrigins, docs, logRequestsOneIn },
    limits: { addressLimit, readLimit, writeLimit },
    // A stop may wait for a start and for the stop before it, each within its deadline, and for its pause; what takes longer is stuck.
    handlerTimeoutMs: 3 * deadlineMs + 10_000
  }
}
