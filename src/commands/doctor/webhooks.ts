import {
  Failure,
  isOneOf,
  UpstreamCredentialsRefused,
  UpstreamFailed,
  UpstreamMalformed,
  UpstreamTooLate,
  UpstreamUnreachable
} from '../../domain/refusals/failures.ts'
import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import type { Clock } from '../../domain/values/clock.ts'
import { heardEvents, type VendorWebhook, webhookPath, webhookUrl } from '../../domain/webhooks/vendor-webhook.ts'
import { noWebhooks, type WebhookCount } from '../../store/tables/webhooks-in/counts.ts'
import { openUpstream } from '../../upstream/account/open-upstream.ts'
import type { Upstream } from '../../upstream/provider.ts'
import { when } from '../process/io.ts'
import { type Check, ok, type Verdict, warning } from './check.ts'

export interface WebhookSurroundings {
  deadlineMs: number
  clock: Clock
  /** The address at which others reach the gateway; null where it is not set. */
  publicUrl: URL | null
  /** Deliveries to the gateways of this store; absent: nothing, or no store. */
  count: WebhookCount | undefined
}

/** The check of the credentials has told of these already. */
const toldElsewhere = [
  UpstreamCredentialsRefused,
  UpstreamFailed,
  UpstreamMalformed,
  UpstreamTooLate,
  UpstreamUnreachable
]

/** Whether the webhooks of an upstream are registered, and arrive. */
export async function checkWebhooks(account: UpstreamAccount, surroundings: WebhookSurroundings): Promise<Check[]> {
  const { deadlineMs, clock } = surroundings
  const upstream = openUpstream({ account, deadlineMs, clock })
  const about = { check: 'webhooks', subject: `the upstream ${account.name}` } as const
  try {
    const all = await upstream
      .on({ tenantId: 'operator', priority: 'mutation' })
      .listWebhooks(AbortSignal.timeout(deadlineMs))
    return [{ ...about, ...(await judge(account.name, all, upstream, surroundings)) }]
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    if (isOneOf(error, ...toldElsewhere)) return []
    return [{ ...about, ...warning(`could not be listed: ${error.message}`) }]
  } finally {
    await upstream.close()
  }
}

async function judge(
  name: string,
  all: readonly VendorWebhook[],
  { webhooks }: Upstream,
  { publicUrl, count = noWebhooks }: WebhookSurroundings
): Promise<Verdict> {
  const wanted = publicUrl && webhookUrl(publicUrl, name)
  const ours = all.filter(({ url }) => (wanted === null ? url.endsWith(webhookPath(name)) : url === wanted))
  const [first] = ours
  if (first === undefined && wanted === null)
    return ok(
      'none is registered: news come when Livegate looks (`livegate webhook register` lets the vendor tell at once)'
    )
  if (first === undefined) return warning(`none leads to ${wanted}: \`livegate webhook register\``)
  const { url, events, enabled } = first
  const register = `\`livegate webhook register ${url.slice(0, -webhookPath(name).length)}\``
  if (!enabled) return warning(`that to ${url} is off: ${register} sets it right`)
  const missing = heardEvents.filter(event => !events.includes(event))
  if (missing.length > 0) return warning(`that to ${url} lacks ${missing.join(', ')}: ${register} sets it right`)
  const trouble = await keyTrouble(webhooks)
  if (trouble !== null) return warning(`registered: ${url}; but the key that proves them cannot be had: ${trouble}`)
  if (areRefused(ours, count))
    return warning(
      `registered: ${url}; but their signatures do not verify (last ${when(count.refusedAtMs)}): look at webhook_key_url and webhook_key_file (LIVEGATE_WEBHOOK_KEY_URL, LIVEGATE_WEBHOOK_KEY_FILE)`
    )
  return ok(`registered: ${url}; ${countsOf(count)}`)
}

async function keyTrouble(webhooks: Upstream['webhooks']): Promise<string | null> {
  try {
    await webhooks.demandKey()
    return null
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return error.cause instanceof Error ? error.cause.message : 'no answer in time'
  }
}

/** Anybody can send what is refused. The id of a webhook is known to its vendor alone, as long as nobody tells. */
function areRefused(
  ours: readonly VendorWebhook[],
  { refusedAtMs, takenAtMs, refusedWebhookId }: WebhookCount
): boolean {
  if (!ours.some(({ id }) => id === refusedWebhookId)) return false
  return refusedAtMs !== null && refusedAtMs > (takenAtMs ?? 0)
}

function countsOf({ taken, repeated, unknown, refused, takenAtMs }: WebhookCount): string {
  const counts = `${taken} taken, ${repeated} repeated, ${unknown} of unknown events, ${refused} refused`
  return takenAtMs === null
    ? `none has come yet (${refused} refused)`
    : `the last one came ${when(takenAtMs)}; ${counts}`
}
