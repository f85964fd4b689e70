import type { IncomingMessage } from 'node:http'
import { vendorIdPattern } from '../../domain/id.ts'

/** One segment of a path, with no dot, slash or percent sign in it. */
const id = vendorIdPattern.slice(1, -1)
/** A request line may name the host as well. */
const mount = new RegExp(`^((?:https?://[^/?#]*)?)/client/v4/accounts/${id}/realtime/kit/${id}(?=[/?#]|$)`)

/**
 * Cloudflare's addresses of the vendor's operations are read as those under `/v2`, byte for byte, so that no route exists
 * twice. Account and app are not looked at, since the tenant's key decides.
 */
export function fromSecondMount({ url = '' }: Pick<IncomingMessage, 'url'>): string {
  return url.replace(mount, '$1/v2')
}
