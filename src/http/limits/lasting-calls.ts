import type { FastifyReply } from 'fastify'
import { type Failure, RateLimited } from '../../domain/refusals/failures.ts'
import { limitFields } from './rate-limit.ts'

export interface LastingOptions {
  /** Streams of one tenant at the same time. */
  maxStreams: number
  /** Streams and waiting calls of all tenants at the same time: other calls need connections too. */
  most: number
}

/** Calls that last by their nature. */
export interface LastingCalls {
  /** Counts one until its answer is gone, or its connection. @throws RateLimited */
  enter(kind: LastingKind, tenantId: string, reply: FastifyReply): void
}

export type LastingKind = 'streams' | 'waits'

/** Calls of one tenant that wait for LIVE at the same time. */
const maxWaits = 1_000
const retryAfterSeconds = 5

/** Counts calls that last: each costs a connection, and no work while it waits. */
export function lastingCalls({ maxStreams, most }: LastingOptions): LastingCalls {
  const max = { streams: maxStreams, waits: maxWaits }
  const counts = new Map<string, number>()
  let all = 0

  return {
    enter(kind, tenantId, reply) {
      const key = `${kind} ${tenantId}`
      const count = counts.get(key) ?? 0
      if (count >= max[kind]) throw oneTooMany(reply, kind, max[kind], `at most ${max[kind]} ${kind} at the same time`)
      if (all >= most) throw oneTooMany(reply, 'lasting', most, `at most ${most} streams and waits of all tenants`)
      if (reply.raw.closed) return // a caller that has hung up already would count for ever
      counts.set(key, count + 1)
      all += 1
      reply.raw.on('close', () => {
        all -= 1
        const left = (counts.get(key) ?? 0) - 1
        if (left > 0) counts.set(key, left)
        else counts.delete(key)
      })
    }
  }
}

function oneTooMany(reply: FastifyReply, name: string, most: number, message: string): Failure {
  limitFields(reply, `"${name}";q=${most};qu="concurrent-requests"`, `"${name}";r=0;t=${retryAfterSeconds}`)
  return new RateLimited({ retryAfterSeconds, details: [{ field: name, message }] })
}
