import type { LivestreamSession } from '../../domain/livestream.ts'
import type { LivestreamWithSessions, Provider } from '../../upstream/provider.ts'

/** Runs of a livestream that one call asks for. */
export const runsPerPage = 50

/**
 * The runs of a livestream with the newest among them, as far as the vendor shows those. Nothing says in which order it has them: what
 * does not fit into a page may be the newest, which are then on the last one.
 */
export async function withNewest(
  provider: Pick<Provider, 'findLivestream'>,
  { livestream, sessions, paging }: LivestreamWithSessions,
  signal: AbortSignal
): Promise<{ sessions: LivestreamSession[]; areNewest: boolean }> {
  const total = paging.total_count
  if (total <= sessions.length) return { sessions, areNewest: true }
  // The vendor may give fewer a page than it was asked for.
  const perPage = Math.max(1, sessions.length)
  const last = await provider.findLivestream(livestream.id, { pageNo: Math.ceil(total / perPage), perPage }, signal)
  const others = (last?.sessions ?? []).filter(({ id }) => sessions.every(one => one.id !== id))
  // An answer that has the same page again, or none, was not the last page.
  return { sessions: [...sessions, ...others], areNewest: others.length > 0 }
}

/** When a run began, as far as the vendor tells. */
export function beginOf({ invoked_time, started_time, created_at }: LivestreamSession): string | null | undefined {
  return invoked_time ?? started_time ?? created_at
}
