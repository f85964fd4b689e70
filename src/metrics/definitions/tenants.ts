import { counter, gauge } from '../definition.ts'

/** Tenants with series of their own; those beyond are `other`. */
export const mostTenants = 1_000
const of = { labels: ['tenant'], most: mostTenants + 1 }

/** Made with `LIVEGATE_METRICS_TENANTS=on` alone. */
export const tenants = {
  livegate_tenant_requests_total: counter('Calls of a tenant that are over', of),
  livegate_tenant_requests_refused_total: counter('Calls of a tenant that were refused (4xx)', of),
  livegate_tenant_live_runs: gauge('Runs of a tenant that go on', of)
}
