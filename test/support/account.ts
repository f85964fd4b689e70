import type { UpstreamAccount } from '../../src/domain/upstream-account.ts'
import type { Quota } from '../../src/domain/values/quota.ts'
import { Secret } from '../../src/domain/values/secret.ts'
import type { Simulator } from '../../src/simulator/simulator.ts'

/** The simulated vendor's account with a quota that no test uses up. */
export function accountOf(
  { url, org, key }: Pick<Simulator, 'url' | 'org' | 'key'>,
  given: Partial<UpstreamAccount> = {}
): UpstreamAccount {
  const quota: Quota = { calls: 1_000_000, seconds: 60 }
  return {
    name: 'default',
    provider: 'dyte',
    baseUrl: new URL(url),
    identity: new Secret(`dyte ${org}`),
    credentials: [basic(org, key)],
    webhookKey: { url: new URL('/.well-known/webhooks.json', url) },
    quota,
    dedicatedTo: null,
    ...given
  }
}

export function basic(org: string, key: string): Secret {
  return new Secret(`Basic ${Buffer.from(`${org}:${key}`).toString('base64')}`)
}

/** The same of a simulated RealtimeKit. */
export function realtimekitAccountOf(
  { url, account, app, token }: Pick<Simulator, 'url' | 'account' | 'app' | 'token'>,
  given: Partial<UpstreamAccount> = {}
): UpstreamAccount {
  return {
    ...accountOf({ url, org: '', key: '' }),
    provider: 'realtimekit',
    baseUrl: new URL(`${url}/accounts/${account}/realtime/kit/${app}`),
    identity: new Secret(`realtimekit ${account} ${app}`),
    credentials: [new Secret(`Bearer ${token}`)],
    ...given
  }
}
