import type { Config } from '../../src/config/config.ts'
import type { UpstreamAccount } from '../../src/domain/upstream-account.ts'
import { systemClock } from '../../src/domain/values/clock.ts'
import { openUpstream } from '../../src/upstream/account/open-upstream.ts'
import type { Upstream } from '../../src/upstream/provider.ts'

/**
 * A vendor account that no failure moves: each call finds a closed breaker and an unused quota. For tests that make every call
 * fail to see what each of them says.
 */
export function unmovedUpstream({ upstreams, deadlineMs }: Pick<Config, 'upstreams' | 'deadlineMs'>): Upstream {
  const [account] = upstreams as [UpstreamAccount]
  const open = (): Upstream => openUpstream({ account, deadlineMs, clock: systemClock })
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
