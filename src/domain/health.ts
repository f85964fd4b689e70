/** Parts that `/readyz` may call broken while stops and reads still work. */
export const degraded = ['store', 'log', 'valkey'] as const
export type Degraded = (typeof degraded)[number]

/** Words of `/readyz` for what will not work soon, unless somebody acts. */
export const warnings = [
  'audit_keys',
  'disk_space',
  'open_stops',
  'keys_expiring',
  'unowned_runs',
  'log_output',
  'upstream_credentials',
  'upstreams_list',
  'webhook_key'
] as const
export type Warning = (typeof warnings)[number]
