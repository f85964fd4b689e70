import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config/config.ts'
import type { Clock } from '../domain/values/clock.ts'
import { passingOn, type Tracing } from '../tracing/tracing.ts'

/** Opens the way to the collector of traces. Without one nothing that records is loaded. */
export async function openTracing(traces: Config['traces'], clock: Clock, log: FastifyBaseLogger): Promise<Tracing> {
  if (traces === null) return passingOn
  const { openRecording } = await import('../tracing/recording.ts')
  const tracing: Tracing = openRecording({
    ...traces,
    clock,
    onTrouble: err =>
      log.warn(
        { event: 'spans_lost', err, lost: tracing.lost },
        'spans of traces are lost: the collector does not take them'
      )
  })
  return tracing
}
