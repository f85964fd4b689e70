import { Cluster, Redis, type RedisOptions } from 'iovalkey'
import type { ValkeyHome } from '../domain/valkey-home.ts'
import { scripts } from './scripts.ts'

/** A connection to Valkey. It never connects again by itself, and keeps nothing for later. */
export interface Client {
  connect(): Promise<void>
  ping(): Promise<unknown>
  run(name: keyof typeof scripts, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>
  onEnd(listener: () => void): void
  /** The last thing that went wrong, in words without secrets. */
  trouble(): string | null
  close(): void
}

const connectWithinMs = 1_000

export function makeClient(home: ValkeyHome): Client {
  const client = home.kind === 'cluster' ? clusterOf(home) : serverOf(home)
  let trouble: string | null = null
  // An error of the library carries the command, and so the password: only its words are kept.
  client.on('error', (error: Error) => {
    trouble = error.message
  })
  for (const [name, lua] of Object.entries(scripts)) client.defineCommand(name, { lua })
  const commands = client as unknown as Record<string, (...args: (string | number)[]) => Promise<unknown>>
  return {
    connect: () => client.connect(),
    ping: () => client.ping(),
    run: async (name, keys, args) => commands[name]?.(keys.length, ...keys, ...args),
    onEnd: listener => void client.once('close', listener),
    trouble: () => trouble,
    close: () => client.disconnect()
  }
}

function serverOf(home: ValkeyHome): Redis {
  return new Redis({
    ...accessOf(home),
    ...wayTo(home),
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => null,
    db: home.database
  })
}

function accessOf({ user, password, isTls }: ValkeyHome): RedisOptions {
  return {
    connectTimeout: connectWithinMs,
    ...(user !== null && { username: user }),
    ...(password !== null && { password: password.reveal() }),
    ...(isTls && { tls: {} })
  }
}

function wayTo({ kind, nodes, primary, isTls }: ValkeyHome): RedisOptions {
  if (kind === 'server') return { ...nodes[0] }
  return {
    sentinels: [...nodes],
    name: primary,
    sentinelRetryStrategy: () => null,
    enableTLSForSentinelMode: isTls
  }
}

/** Its connections to single nodes are the library's own: one that is lost ends its calls, and asks which nodes there are. */
function clusterOf(home: ValkeyHome): Cluster {
  return new Cluster([...home.nodes], {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: () => null,
    redisOptions: accessOf(home)
  })
}
