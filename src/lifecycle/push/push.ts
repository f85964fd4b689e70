import type { Clock } from '../../domain/values/clock.ts'
import type { Directory } from '../../store/memory/directory.ts'
import type { Store } from '../../store/store.ts'
import { broadcastRunsIn } from '../../store/tables/runs/broadcast-runs.ts'
import { runEventsIn } from '../../store/tables/runs/run-events.ts'
import type { RunChanges } from '../ledger/hub.ts'
import type { Adopt } from '../resources/adopt.ts'
import { EventFeed } from './event-feed.ts'
import { EventStreams } from './event-streams.ts'
import { LiveWaits } from './live-waits.ts'

export interface PushDeps {
  store: Store
  hub: RunChanges
  directory: Directory
  adopt: Adopt
  log: { error(facts: object, message: string): void }
  clock: Clock
}

/** All that is told without being asked again: streams of events, and calls that wait for LIVE. */
export interface Push {
  readonly streams: EventStreams
  readonly liveWaits: LiveWaits
  /** The gateway ends: streams end, and calls that wait are answered. None begins any more. */
  end(): void
  close(): Promise<unknown>
}

export function push({ store, hub, ...deps }: PushDeps): Push {
  const feed = new EventFeed({ ...deps, hub, events: runEventsIn(store) }).start()
  const streams = new EventStreams({ ...deps, feed }).start()
  const liveWaits = new LiveWaits({ hub, runs: broadcastRunsIn(store) })
  return {
    streams,
    liveWaits,
    end() {
      streams.endAll()
      liveWaits.endAll()
    },
    close: () => Promise.all([streams.close(), feed.close()])
  }
}
