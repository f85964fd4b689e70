import { UpstreamUnavailable } from '../../domain/refusals/failures.ts'
import type { Errand, Priority, Provider, Upstream, Upstreams } from '../../upstream/provider.ts'

/** The vendor account that a tenant's meeting or livestream is at. @throws UpstreamUnavailable when the configuration has no such upstream */
export function upstreamOf(upstreams: Upstreams, { upstream }: { upstream: string }, priority: Priority): Upstream {
  const known = upstreams.get(upstream)
  if (known !== undefined) return known
  const cause = new Error(`no upstream is called ${upstream}`)
  const message =
    'The livestream provider that this belongs to is not configured: the operator of the gateway must look'
  throw new UpstreamUnavailable({ cause, message, ...(priority !== 'read' && { outcome: 'not_sent' }) })
}

/** The provider at the vendor account of a meeting or livestream, asked on behalf of its tenant. @throws UpstreamUnavailable */
export function providerOf(
  upstreams: Upstreams,
  owner: { upstream: string; tenantId: string },
  priority: Priority,
  onSent?: Errand['onSent']
): Provider {
  return upstreamOf(upstreams, owner, priority).on({ tenantId: owner.tenantId, priority, onSent })
}
