import { ConfigError, type UpstreamsRead } from '../config/config.ts'
import { Loop } from '../domain/values/clock.ts'
import { tellTrouble } from '../domain/values/tell-trouble.ts'
import type { UpstreamSet } from '../upstream/account/upstream-set.ts'
import { UpstreamsRejected } from '../upstream/account/upstreams-rejected.ts'

export interface FollowOptions {
  read(): Promise<UpstreamsRead>
  set: Pick<UpstreamSet, 'replace'>
  /** Hears that another list is in use. */
  onChange(): void
  log: { info(facts: object, message: string): void; error(facts: object, message: string): void }
  everyMs?: number
  /** Pause before a refused list is tried again: the vendor may have had trouble, or a file was half written. */
  againAfterMs?: number
}

export interface Following {
  /** True while the files hold a list that is not used. */
  isRefused(): boolean
  close(): Promise<void>
}

/**
 * Takes over changes of the upstreams' files while the gateway runs. The files are read and compared each second, since watchers of
 * files miss those that are mounted, or replaced by links.
 */
export function followUpstreams(options: FollowOptions): Following {
  const { read, set, onChange, log, everyMs = 1_000, againAfterMs = 10_000 } = options
  let used: string | null = null
  let refused = { digest: '', atMs: 0 }
  let isRefused = false

  async function look(): Promise<void> {
    const found = await read()
    const { digest } = found
    const nowMs = performance.now()
    if (digest === used) return accept(false)
    if (digest === refused.digest && nowMs - refused.atMs < againAfterMs) return
    try {
      const changed = await set.replace(found.accounts())
      used = digest
      accept(changed)
    } catch (error) {
      if (!(error instanceof ConfigError || error instanceof UpstreamsRejected)) throw error
      if (digest !== refused.digest)
        log.error(
          { event: 'upstreams_refused', reason: error.message },
          'the new list of upstreams is not used: the old one stays'
        )
      refused = { digest, atMs: nowMs }
      isRefused = true
    }
  }

  function accept(changed: boolean): void {
    if (changed) log.info({ event: 'upstreams_changed' }, 'the upstreams have changed: the new list is in use')
    else if (isRefused) log.info({ event: 'upstreams_changed_back' }, 'the list of upstreams is the one in use again')
    isRefused = false
    if (changed) onChange()
  }

  const onTrouble = tellTrouble(
    log,
    'error',
    { event: 'upstreams_unreadable' },
    'the upstreams could not be read again'
  )
  const loop = new Loop({ round: look, everyMs, onTrouble }).start()
  return {
    isRefused: () => isRefused,
    close: () => loop.close()
  }
}
