import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { RateLimit } from '../../domain/values/rate-limit.ts'
import type { RunUse } from '../../lifecycle/ends/limits.ts'
import type { TenantLivestreams } from '../../lifecycle/resources/livestreams.ts'
import { Answer, failures } from '../answer.ts'
import type { Api } from '../api.ts'

const upTo = { minimum: 0, maximum: 1_000_000 }
const day = { minimum: 0, maximum: 86_400 }

const Spent = Type.Object({
  calls: Type.Integer({ ...upTo, description: 'So many calls are allowed in `seconds`, evenly', examples: [600] }),
  seconds: Type.Integer({ ...day, examples: [60] }),
  burst: Type.Integer({ ...upTo, description: 'So many at once', examples: [600] }),
  remaining: Type.Integer({
    ...upTo,
    description: 'So many would be let in right now; a read is counted after this one',
    examples: [599]
  }),
  reset_seconds: Type.Integer({ ...day, description: 'Until `remaining` is `burst` again; 0: it is', examples: [1] })
})

const seconds = (description: string, example: number) =>
  Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], { description, examples: [example] })
const most = (example: number) =>
  Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], { description: 'Null: no limit', examples: [example] })

const Runs = Type.Object(
  {
    live: Type.Object(
      { now: Type.Integer({ minimum: 0, examples: [2] }), max: most(5) },
      { description: 'Runs at the same time, with those that are being started' }
    ),
    minutes: Type.Object(
      {
        month: Type.String({ description: 'A calendar month in UTC', examples: ['2026-12'] }),
        used: Type.Integer({ minimum: 0, description: 'Whole minutes on air, of all runs together', examples: [310] }),
        max: most(6000)
      },
      { description: 'Minutes on air in this month' }
    ),
    max_duration_seconds: seconds('No run is longer. Null: no limit', 14400),
    default_duration_seconds: seconds('The length of a run whose start names none. Null: the longest counts', 7200)
  },
  { description: 'Limits of broadcast runs, and what is used of them (docs/limits.md)' }
)

const Usage = Type.Object({
  limits: Type.Object({ read: Spent, write: Spent }, { description: 'All keys of the tenant share them' }),
  in_flight: Type.Object(
    {
      now: Type.Integer({ ...upTo, description: 'With this one', examples: [1] }),
      max: Type.Integer({ ...upTo, examples: [1000] })
    },
    { description: "The tenant's requests at the same time. A stop counts, and is let in beyond `max`" }
  ),
  live_livestreams: Type.Integer({
    minimum: 0,
    description: 'So many of its broadcast runs go on: INVOKED or LIVE, as Livegate knows',
    examples: [2]
  }),
  runs: Runs
})

const schema = {
  operationId: 'getUsage',
  summary: 'What the tenant has spent of its limits',
  description: 'Only its own: nothing here tells of other tenants or of the quota at the provider.',
  tags: ['gateway'],
  response: { 200: Answer(Usage, 'What is spent, and what is running'), ...failures() }
}

const rule = { scope: 'livestreams:read', limit: 'read' } as const

/** Counts that the answer shows. */
export interface UsageDeps {
  livestreams: Pick<TenantLivestreams, 'countRunning'>
  left(request: FastifyRequest): Promise<Record<'read' | 'write', LimitLeft>>
  inFlight: { readonly max: number; count(tenantId: string): number }
  runUse(tenantId: string): Promise<RunUse>
}
interface LimitLeft extends RateLimit {
  remaining: number
  resetSeconds: number
}

export function getUsage(app: Api, { livestreams, left, inFlight, runUse }: UsageDeps): void {
  app.get('/usage', { schema, config: { rule } }, async request => {
    const { caller } = request
    const [live_livestreams, runs] = await Promise.all([livestreams.countRunning(caller), runUse(caller.tenant.id)])
    const { read, write } = await left(request)
    const in_flight = { now: inFlight.count(caller.tenant.id), max: inFlight.max }
    return {
      success: true as const,
      data: { limits: { read: shown(read), write: shown(write) }, in_flight, live_livestreams, runs: shownRuns(runs) }
    }
  })
}

function shown({ calls, seconds, burst, remaining, resetSeconds }: LimitLeft) {
  return { calls, seconds, burst, remaining, reset_seconds: resetSeconds }
}

function shownRuns({ live, spentMs, month, limits }: RunUse) {
  return {
    live: { now: live, max: limits.maxLive },
    minutes: { month, used: Math.floor(spentMs / 60_000), max: limits.minutesPerMonth },
    max_duration_seconds: limits.maxDurationSeconds,
    default_duration_seconds: limits.defaultDurationSeconds
  }
}
