import type { OwnedMeeting } from '../../domain/meeting.ts'
import { Failure, UpstreamFailed, UpstreamRefused } from '../../domain/refusals/failures.ts'
import type { Provider } from '../../upstream/provider.ts'

/**
 * The vendor's `active-livestream`: what is live, or null when nothing is. Undefined when its answer says neither; then the lists
 * decide. @throws what a Provider throws
 */
export async function findActive(provider: Provider, { id }: OwnedMeeting, signal: AbortSignal) {
  try {
    return await provider.findActive(id, signal)
  } catch (error) {
    if (!saysNothing(error)) throw error
    return undefined
  }
}

/** An answer that says neither what is live nor, in the contract's own way, that nothing is. */
function saysNothing(error: unknown): boolean {
  const { upstreamStatus = 0 } = error instanceof Failure ? error : {}
  if (error instanceof UpstreamFailed) return upstreamStatus >= 500
  return error instanceof UpstreamRefused && (upstreamStatus === 400 || upstreamStatus === 409)
}
