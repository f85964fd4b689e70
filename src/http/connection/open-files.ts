import { existsSync, readFileSync } from 'node:fs'
import type { FastifyBaseLogger } from 'fastify'
import type { Network } from '../../domain/values/address.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { Connections } from './connections.ts'

/** File descriptors for the store, the log and all else that a process has open. */
const ownFiles = 100
/** Connections to one upstream that are kept: 256 for its reads, which may all hang (`upstream/transport/outbound.ts`), and some for starts and stops. */
const perUpstream = 256 + 128
/** Connections unless configured. Each costs memory. */
const usual = 10_000

interface Parts {
  config: {
    readonly keepAliveMs: number
    readonly maxConnections: number | null
    readonly trustedProxies: readonly Network[]
    readonly upstreams: readonly unknown[]
  }
  logger: FastifyBaseLogger
  clock: Clock
}

/** The connections of callers, within what may be open. */
export function callersConnections({ config, logger, clock }: Parts): Connections {
  const { keepAliveMs, trustedProxies, upstreams } = config
  const maxConnections = mostConnections({ wanted: config.maxConnections, upstreams: upstreams.length })
  return new Connections({
    maxConnections,
    keepAliveMs,
    trustedProxies,
    clock,
    onFull: open =>
      logger.warn(
        { event: 'connections_full', open, maxConnections },
        'connections of callers make room for others: strangers first, and the most idle'
      )
  })
}

/**
 * Largest number of connections for callers. Connections to the vendor, which stop livestreams, must always find a file descriptor.
 * @param wanted the configured number; null for the usual one
 */
export function mostConnections(
  { wanted, upstreams }: { wanted: number | null; upstreams: number },
  limit = openFilesLimit()
): number {
  const left = Math.max(limit - ownFiles - perUpstream * upstreams, Math.floor(limit / 2))
  return Math.min(wanted ?? usual, left)
}

/** File descriptors that this process may have, where the system tells. Node raises the limit at its start as far as it may. */
export function openFilesLimit(file = '/proc/self/limits'): number {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const [, limit] = /^Max open files +(\d+)/m.exec(text) ?? []
  return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit)
}
