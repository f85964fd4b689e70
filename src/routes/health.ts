import { Type } from 'typebox'
import { type Degraded, degraded, type Warning, warnings } from '../domain/health.ts'
import type { Api } from './api.ts'

/** State of the process, for orchestrators without a key. It tells nothing about tenants or the vendor. */
export interface Health {
  /** False before start-up has finished and during shutdown. */
  ready(): boolean
  /** Parts that don't work while stops and reads still do. */
  degraded(): Degraded[]
  /** Parts that will not work soon. */
  warnings(): Warning[]
}

const Live = Type.Object({ status: Type.Literal('ok') }, { description: 'The process answers' })
const Ready = Type.Object(
  {
    status: Type.Enum(['ready', 'unready']),
    degraded: Type.Array(Type.Enum([...degraded]), { maxItems: degraded.length }),
    warnings: Type.Array(Type.Enum([...warnings]), { maxItems: warnings.length })
  },
  {
    description:
      '`degraded` names what does not work while stops and reads still do; `warnings` what will not, unless somebody acts'
  }
)

const livez = {
  operationId: 'livez',
  summary: 'Whether the process answers',
  tags: ['health'],
  security: [],
  response: { 200: Live }
}
const readyz = {
  operationId: 'readyz',
  summary: 'Whether calls are welcome',
  description:
    '503 only before start-up has finished and during shutdown, so that nothing takes away the gateway that holds the stops.',
  tags: ['health'],
  security: [],
  response: { 200: Ready, 503: Ready }
}

export function health(app: Api, { ready, degraded: broken, warnings: warned }: Health): void {
  app.get('/livez', { schema: livez, logLevel: 'warn' }, async () => ({ status: 'ok' as const }))
  app.get('/readyz', { schema: readyz, logLevel: 'warn' }, async (_request, reply) => {
    const status = ready() ? ('ready' as const) : ('unready' as const)
    return reply.code(status === 'ready' ? 200 : 503).send({ status, degraded: broken(), warnings: warned() })
  })
}
