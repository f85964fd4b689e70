/** One thing that was looked at. */
export interface Check {
  check: 'configuration' | 'store' | 'audit keys' | 'disk' | 'tenants' | 'credentials' | 'clock' | 'habits' | 'webhooks'
  /** The thing itself: an upstream, a tenant, a file. */
  subject: string
  status: 'ok' | 'warning' | 'failed'
  /** The finding and, unless all is well, a remedy. Never a secret. */
  message: string
}

/** The result for one subject. */
export type Verdict = Pick<Check, 'status' | 'message'>

export const ok = (message: string): Verdict => ({ status: 'ok', message })
export const warning = (message: string): Verdict => ({ status: 'warning', message })
export const failed = (message: string): Verdict => ({ status: 'failed', message })

const labels = { ok: 'ok', warning: 'warn', failed: 'FAIL' }

/** A line for people. */
export function lineOf({ check, subject, status, message }: Check): string {
  return `${labels[status].padEnd(4)}  ${check} of ${subject}: ${message}`
}
