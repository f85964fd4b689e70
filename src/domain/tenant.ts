import type { LiveLimits } from './ends/live-limits.ts'
import type { PresetRule } from './preset.ts'
import type { RateLimit } from './values/rate-limit.ts'

/** Lower-case words and digits joined by single hyphens, as they also stand in `Basic <tenant>:<key>`. */
export const tenantIdPattern = /^[a-z0-9]+(-[a-z0-9]+)*$/
export const tenantIdMaxLength = 63

/** A customer of the organisation that runs Livegate; owns meetings and livestreams. */
export interface Tenant {
  readonly id: string
  readonly name: string
  /** Name of the vendor account that its new meetings go to. */
  readonly upstream: string
  /** Its own limits; null means the configured default. */
  readonly readLimit: RateLimit | null
  readonly writeLimit: RateLimit | null
  readonly limits: LiveLimits
  readonly presetRule: PresetRule
  readonly suspended: boolean
  readonly createdAtMs: number
}

export function isTenantId(text: string): boolean {
  return text.length <= tenantIdMaxLength && tenantIdPattern.test(text)
}
