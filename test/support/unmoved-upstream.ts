import type { Config } from '../../src/config.ts'
import { systemClock } from '../../src/domain/clock.ts'
import { openUpstream } from '../../src/upstream/open-upstream.ts'
import type { Upstream } from '../../src/upstream/provider.ts'

/**
 * A vendor account that no failure moves: each call finds a closed breaker and an unused quota. For tests that make every call
 * fail to see what each of them says.
 */
export function unmovedUpstream({ upstream, deadlineMs }: Pick<Config, 'upstream' | 'deadlineMs'>): Upstream {
  const open = (): Upstream => openUpstream({ ...upstream, deadlineMs, clock: systemClock })
  const first = open()
  const opened = [first]
  return {
    ...first,
    on(errand) {
      const next = open()
      opened.push(next)
      return next.on(errand)
    },
    async close() {
      await Promise.all(opened.map(one => one.close()))
    }
  }
}
