/** Ends of runs as metrics see them: by whom, and how long each was live. */
import type { Observer } from '../../domain/observer.ts'
import type { RunChanges } from './hub.ts'

/** Begins before the first run of an earlier gateway is looked at: many end while a gateway opens. */
export function observedEnds(hub: RunChanges, observer: Pick<Observer, 'runEnded'> | undefined): void {
  if (observer === undefined) return
  hub.subscribe(changes => {
    for (const { run, events } of changes) {
      const isEnd = events.some(({ type }) => type === 'livestream.ended' || type === 'livestream.errored')
      if (!isEnd || run.endedAtMs === null) continue
      const liveForMs = run.liveAtMs === null ? 0 : Math.max(0, run.endedAtMs - run.liveAtMs)
      observer.runEnded(run.endedBy ?? 'other', liveForMs)
    }
  })
}
