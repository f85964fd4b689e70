import { when } from '../process/io.ts'
import type { ShownQuota } from '../upstream.ts'
import type { Figures } from './figures.ts'
import type { Picture } from './look.ts'

/** Tenants that are named. */
const mostTenants = 5
const narrow = 11

/** One screen for people. @param figures null where the gateway shows no metrics, or before a second reading */
export function screenOf(picture: Picture, figures: Figures | null): string {
  const lines: [label: string, text: string][] = [
    ['as of', when(picture.atMs)],
    ['gateway', gatewayLine(picture)],
    ['live', liveLine(picture)],
    ['open', openLine(picture)],
    ...(figures === null ? [] : ratesLines(figures)),
    ...picture.quotas.map(quota => ['quota', quotaLine(quota)] as [string, string]),
    ['audit log', auditLine(picture, figures)],
    ...(figures === null ? [] : processLines(figures))
  ]
  if (picture.reading === null)
    lines.push(['not known', `rates, shares and what waits, since ${picture.noReading} (docs/metrics.md)`])
  else if (figures === null) lines.push(['not known', 'rates, before the second look'])
  return lines.map(([label, text]) => `${label.padEnd(narrow)}${text}`).join('\n')
}

function gatewayLine({ readiness, url }: Picture): string {
  if (readiness === null) return `does not answer at ${url}: what follows is what its store says`
  const { status, degraded, warnings } = readiness
  const broken = degraded.length === 0 ? '' : `; DEGRADED: ${degraded.join(', ')}`
  const warned = warnings.length === 0 ? '; no warnings' : `; WARNINGS: ${warnings.join(', ')}`
  return `${status}${broken}${warned}`
}

function liveLine({ live }: Picture): string {
  if (live.length === 0) return 'nothing'
  const byStatus = counted(live.map(({ status }) => status))
  const byTenant = counted(live.map(({ tenantId }) => tenantId))
  const more = byTenant.length - mostTenants
  const tenants = byTenant.slice(0, mostTenants).map(([id, count]) => `${id} ${count}`)
  return `${runs(live.length)} (${byStatus.map(([status, count]) => `${count} ${status}`).join(', ')}): ${tenants.join(', ')}${more > 0 ? `, and ${more} tenants more` : ''}`
}

function openLine({ open, atMs }: Picture): string {
  if (open.length === 0) return 'no operation of unknown outcome'
  const oldestMs = Math.min(...open.map(({ oldestSentAtMs }) => oldestSentAtMs))
  const kinds = open.map(({ kind, total }) => `${total} ${kind}`)
  return `${kinds.join(', ')} of unknown outcome or under way; the oldest since ${span((atMs - oldestMs) / 1_000)}`
}

function ratesLines(figures: Figures): [string, string][] {
  const { calls, refused, failed, readsInTime, starts, stops, badStarts, badStops, vendorCalls, heldBack } = figures
  const reads = readsInTime === null ? 'no reads' : `${percent(readsInTime)} of the reads within 250 ms`
  const share = ({ bad, all }: Figures['badStops']): string => `${bad} of ${all}`
  return [
    ['calls', `${rate(calls)}, ${rate(refused)} refused, ${rate(failed)} failed; ${reads}`],
    ['broadcasts', `${rate(starts)} starts, ${rate(stops)} stops`],
    ['bad', `${share(badStarts)} starts, ${share(badStops)} stops (late or not known), since the start of the process`],
    ['vendor', `${rate(vendorCalls)} calls sent, ${rate(heldBack)} held back`]
  ]
}

function quotaLine({
  upstream,
  quota,
  window_seconds,
  lowered_to,
  used,
  left,
  paused_seconds,
  breaker
}: ShownQuota): string {
  const all = used.read + used.mutation + used.stop + used.other
  const lowered = lowered_to < quota ? `, lowered to ${lowered_to}` : ''
  const pause = paused_seconds > 0 ? `; the vendor asks for a pause of ${paused_seconds} s` : ''
  return `${upstream}: ${all} of ${quota} in ${window_seconds} s${lowered}; left ${left.read} for reads, ${left.mutation} for starts, ${left.stop} for stops; breaker ${breaker}${pause}`
}

function auditLine({ audit, atMs }: Picture, figures: Figures | null): string {
  const { seq, newestMs, signed } = audit
  const newest = newestMs === null ? 'no event yet' : `event ${seq}, ${span((atMs - newestMs) / 1_000)} ago`
  const signature =
    signed === null ? 'not signed yet' : `signed up to ${signed.seq}, ${span((atMs - signed.timeMs) / 1_000)} ago`
  const waiting = figures === null ? '' : `; ${figures.auditWaiting} wait`
  return `${newest}; ${signature}${waiting}`
}

function processLines({
  cpu,
  memoryBytes,
  upSeconds,
  streams,
  connections,
  storeWaiting
}: Figures): [string, string][] {
  const memory = `${Math.round(memoryBytes / 2 ** 20)} MB`
  return [
    ['process', `up ${span(upSeconds)}, ${percent(cpu)} of a core, ${memory}; ${storeWaiting} writes wait`],
    ['callers', `${connections} connections, ${streams} streams of events`]
  ]
}

/** How often each comes, the most frequent first. */
export function counted(words: readonly string[]): [word: string, count: number][] {
  return [...Map.groupBy(words, word => word)]
    .map(([word, same]) => [word, same.length] as [string, number])
    .sort(([one, many], [other, more]) => more - many || one.localeCompare(other))
}

function runs(count: number): string {
  return count === 1 ? '1 run' : `${count} runs`
}

function rate(perSecond: number): string {
  return `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)}/s`
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

/** A time in its largest unit that has two digits or more to tell. */
function span(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`
}
