import type { Preset } from '../../domain/preset.ts'
import type { Upstreams } from '../../upstream/provider.ts'
import { type Context, providerOf } from '../context.ts'
import { type Seen, SharedReads } from '../reads/shared-reads.ts'

export interface PresetsDeps extends Pick<Context, 'clock' | 'bounded' | 'changes' | 'readTtlMs'> {
  upstreams: Upstreams
}

/** The presets of a vendor account, which all of its tenants share. */
export interface Presets {
  /** All of them, asked for on behalf of this tenant. */
  all(owner: { upstream: string; tenantId: string }, signal: AbortSignal): Promise<Seen<Preset[]>>
}

/** A page, and how many of them are read: an account with more is shown in part. */
const perPage = 100
const mostPages = 10

export function presetsOf(deps: PresetsDeps): Presets {
  const reads = new SharedReads<Preset[]>(deps)

  return {
    all({ upstream, tenantId }, signal) {
      const ask = async (signal: AbortSignal): Promise<Preset[]> => {
        const provider = providerOf(deps.upstreams, { upstream, tenantId }, 'read')
        const found: Preset[] = []
        for (let pageNo = 1; pageNo <= mostPages; pageNo++) {
          const { items, paging } = await provider.findPresets({ pageNo, perPage }, signal)
          found.push(...items)
          if (items.length === 0 || found.length >= paging.total_count) break
        }
        return found
      }
      // No tenant id has a slash.
      const key = `${tenantId}/${upstream}`
      return reads.read({ key, subject: `presets of ${upstream}`, ask, signal: () => signal })
    }
  }
}
