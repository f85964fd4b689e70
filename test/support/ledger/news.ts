import type { Run, RunNews, SeenNews, SeenSession } from '../../../src/domain/runs/run.ts'
import { moveRun } from '../../../src/domain/runs/run-moves.ts'

/** Where all runs of these tests are. */
export const place = { tenantId: 'acme', upstream: 'default', meetingId: 'm1' }

export const how = { newId: 'found', settleMs: 30_000, endedBy: 'outside' } as const

export function sent(atMs: number, operationId = 'op-1'): RunNews {
  return { ...place, kind: 'sent', atMs, operationId, runId: `run of ${operationId}` }
}

export function started(atMs: number, livestreamId = 'ls-1', operationId = 'op-1'): RunNews {
  return { ...place, kind: 'started', atMs, operationId, livestreamId, status: 'INVOKED', playbackUrl: null }
}

export function refused(atMs: number, operationId = 'op-1'): RunNews {
  return { ...place, kind: 'refused', atMs, operationId }
}

export function seen(atMs: number, status: string, more: Partial<SeenNews> = {}): SeenNews {
  return { ...place, kind: 'seen', atMs, livestreamId: 'ls-1', status, session: null, playbackUrl: null, ...more }
}

export function gone(atMs: number, livestreamId: string | null = 'ls-1'): RunNews {
  return { ...place, kind: 'gone', atMs, livestreamId }
}

export function stopped(atMs: number, livestreamId: string | null = 'ls-1'): RunNews {
  return { ...place, kind: 'stopped', atMs, livestreamId, endedBy: 'tenant' }
}

export function session(id: string, invokedAtMs: number, more: Partial<SeenSession> = {}): SeenSession {
  return { id, invokedAtMs, startedAtMs: null, stoppedAtMs: null, ...more }
}

/** The run after all this news, and the types of what was told. */
export function after(...all: RunNews[]): { run: Run | null; told: string[] } {
  const told: string[] = []
  let run: Run | null = null
  for (const news of all) {
    const moved = moveRun(run, news, how)
    run = moved.run
    told.push(...moved.events.map(({ type }) => type.replace('livestream.', '')))
  }
  return { run, told }
}
