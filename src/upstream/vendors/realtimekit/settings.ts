import { isVendorId } from '../../../domain/id.ts'
import { Secret } from '../../../domain/values/secret.ts'
import { type VendorSettings, webhookKeyPath } from '../settings.ts'

/** Not the host of the API (contract#webhook-key). */
const keyHost = 'https://api.realtime.cloudflare.com'

export const settings: VendorSettings = {
  prefix: 'REALTIMEKIT',
  ids: ['account_id', 'app_id'],
  credential: 'api_token',
  usualBaseUrl: 'https://api.cloudflare.com/client/v4',
  about: {
    account_id: 'An account of Cloudflare RealtimeKit, instead of the one above: its id.',
    app_id: 'An account of Cloudflare RealtimeKit: the app.',
    api_token: 'An account of Cloudflare RealtimeKit: its API token.',
    base_url: 'The address of Cloudflare.'
  },
  // Cloudflare's figure for all of its API, the stricter of the two (contract#cloudflare-quota).
  usualQuota: { calls: 1_200, seconds: 300 },
  // Plain http is for this machine alone, and so for the simulator.
  webhookKeyUrl: baseUrl => new URL(webhookKeyPath, baseUrl.protocol === 'http:' ? baseUrl : keyHost),
  faultOf: id => (id === '' || isVendorId(id) ? null : 'must be letters, digits, - and _, at most 64'),
  account({ baseUrl: root, ids: [account = '', app = ''], credentials }) {
    const baseUrl = new URL(root)
    baseUrl.pathname = `${root.pathname.replace(/\/+$/, '')}/accounts/${account}/realtime/kit/${app}`
    return {
      baseUrl,
      identity: `realtimekit ${account} ${app}`,
      // The quota is the token's or the account's, whatever the app (contract#cloudflare-quota).
      quotaOf: `realtimekit ${account}`,
      credentials: credentials.map(token => new Secret(`Bearer ${token}`))
    }
  }
}
