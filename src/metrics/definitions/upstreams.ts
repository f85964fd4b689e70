import { counter, gauge, histogram } from '../definition.ts'

/** Upstreams with a name of their own; those beyond are `other`. */
export const mostUpstreams = 20
const names = mostUpstreams + 1
const of = ['upstream']
const byPriority = ['upstream', 'priority']

export const upstreams = {
  livegate_upstream_calls_total: counter(
    'Calls sent to the vendor, by upstream, priority and class of the status (`none`: no answer came)',
    { labels: ['upstream', 'priority', 'status'], most: 360 }
  ),
  livegate_upstream_call_duration_seconds: histogram('Time from a call to the vendor to its answer, or to none', {
    labels: ['upstream'],
    most: names
  }),
  livegate_upstream_held_back_total: counter(
    'Calls to the vendor that were not sent, by upstream, priority and the type of the failure',
    { labels: ['upstream', 'priority', 'reason'], most: 230 }
  ),
  livegate_upstream_quota_calls: gauge("The vendor's quota, in calls of one window", { labels: of, most: names }),
  livegate_upstream_quota_used: gauge('Calls that count against the quota now, by priority (`other`: of nobody here)', {
    labels: byPriority,
    most: 4 * names
  }),
  livegate_upstream_quota_free: gauge('Calls that a priority may still send now', {
    labels: byPriority,
    most: 3 * names
  }),
  livegate_upstream_quota_reserved: gauge('Calls of the quota that are kept for a priority', {
    labels: byPriority,
    most: 2 * names
  }),
  livegate_upstream_pause_seconds: gauge('Rest of the pause that the vendor has asked for', {
    labels: of,
    most: names
  }),
  livegate_breaker_open: gauge('1 while the breaker holds calls back', { labels: of, most: names }),
  livegate_upstream_credential_refused: gauge('1 while the vendor refuses the credential in use', {
    labels: of,
    most: names
  }),
  livegate_shared_reads_total: counter(
    'Reads by how they were answered: `hit`, `miss` (the vendor was asked), `collapsed` (with another reader), `stale`',
    { label: 'how', values: ['hit', 'miss', 'collapsed', 'stale'] }
  )
}
