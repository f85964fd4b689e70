import { type Config, readConfig } from '../../src/config/config.ts'
import type { Simulator } from '../../src/simulator/simulator.ts'

/** A limit that no test comes to. */
export const plenty = { calls: 1_000_000, seconds: 60, burst: 1_000_000 }

/** Everything that is needed to reach the simulated vendor and to be let in. */
type VendorAccount = Pick<Simulator, 'url' | 'org' | 'key'> &
  Partial<Pick<Simulator, 'vendor' | 'account' | 'app' | 'token'>>

/** The settings of a test gateway: those of production, but for ports, places and patience. */
export function configFor(vendor: VendorAccount, storeFile: string): Config {
  return readConfig({
    ...environmentOf(vendor),
    PORT: '0',
    DATABASE_URL: `sqlite:${storeFile}`,
    LIVEGATE_WRITE_LIMIT: '600/60',
    // More than any test needs, and no answer of before: what is shared, its own tests show.
    LIVEGATE_UPSTREAM_BUDGET: '1000000/60',
    LIVEGATE_READ_TTL_MS: '0',
    // So long that no slow machine comes to it; a test that needs one to come has its own (`short-deadline.ts`).
    LIVEGATE_DEADLINE_MS: '10000',
    LIVEGATE_SHUTDOWN_MS: '3000',
    // Each read on its own: what is rolled up, its own tests show.
    LIVEGATE_AUDIT_READS: 'all',
    // The vendor hears what a test asks, and nothing else: what goes on by itself, its own tests show.
    LIVEGATE_RECONCILE_MS: '0'
  })
}

/** The environment of a gateway for this simulated vendor. */
export function environmentOf({ vendor, url, org, key, account, app, token }: VendorAccount): Record<string, string> {
  if (vendor !== 'realtimekit') return { DYTE_BASE_URL: url, DYTE_ORG_ID: org, DYTE_API_KEY: key }
  return {
    REALTIMEKIT_BASE_URL: url,
    REALTIMEKIT_ACCOUNT_ID: account ?? '',
    REALTIMEKIT_APP_ID: app ?? '',
    REALTIMEKIT_API_TOKEN: token ?? ''
  }
}
