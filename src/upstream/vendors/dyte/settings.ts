import { Secret } from '../../../domain/values/secret.ts'
import { type VendorSettings, webhookKeyPath } from '../settings.ts'

export const settings: VendorSettings = {
  prefix: 'DYTE',
  ids: ['org_id'],
  credential: 'api_key',
  usualBaseUrl: 'https://api.dyte.io/v2',
  about: {
    org_id: 'An account of Dyte: its organization.',
    api_key: 'An account of Dyte: its API key.',
    base_url: 'The address of Dyte. `http` is accepted for this machine alone (the simulator).'
  },
  // Dyte's own figure (contract#dyte-quota).
  usualQuota: { calls: 2_000, seconds: 60 },
  // Beside the API, also at the later addresses that speak it.
  webhookKeyUrl: baseUrl => new URL(webhookKeyPath, baseUrl),
  // The colon parts the two in Basic credentials (RFC 7617).
  faultOf: id => (id.includes(':') ? 'must not have a colon' : null),
  account({ baseUrl, ids: [orgId = ''], credentials }) {
    const toBasic = (apiKey: string): Secret =>
      new Secret(`Basic ${Buffer.from(`${orgId}:${apiKey}`).toString('base64')}`)
    return { baseUrl, identity: `dyte ${orgId}`, quotaOf: `dyte ${orgId}`, credentials: credentials.map(toBasic) }
  }
}
