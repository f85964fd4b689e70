import { placeOf } from '../../domain/id.ts'
import type { Broadcasting } from '../broadcast/broadcasting.ts'
import type { Changes } from '../context.ts'

/** Starts and stops whose callers hear of them when other replicas are told: none shows an answer of before. */
export function toldFirst(
  changes: Pick<Changes, 'told'>,
  { start, stop }: Pick<Broadcasting, 'start' | 'stop'>
): Pick<Broadcasting, 'start' | 'stop'> {
  return {
    async start(caller, meeting, wish) {
      const started = await start(caller, meeting, wish)
      await changes.told(placeOf(meeting))
      return started
    },
    async stop(caller, meeting) {
      const stopped = await stop(caller, meeting)
      await changes.told(placeOf(meeting))
      return stopped
    }
  }
}
