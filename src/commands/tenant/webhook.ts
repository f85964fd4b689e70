import { readWebhookNetworks } from '../../config/config.ts'
import type { AuditResource } from '../../domain/audit/audit-event.ts'
import { systemClock } from '../../domain/values/clock.ts'
import { faultOfUrl, hostOf, showAttempt, showWebhook, type Webhook } from '../../domain/webhooks/tenant-webhook.ts'
import { deliverer, testMessage } from '../../lifecycle/webhooks-out/message.ts'
import { poster } from '../../lifecycle/webhooks-out/post.ts'
import { prepareSetting } from '../../lifecycle/webhooks-out/setting.ts'
import { writeIf } from '../../store/engine/engine.ts'
import type { Store } from '../../store/store.ts'
import { webhookDeliveriesIn } from '../../store/tables/webhooks-out/deliveries.ts'
import { webhooksIn } from '../../store/tables/webhooks-out/webhooks.ts'
import { CommandError, type Io, type JsonOption, print, table, UsageError } from '../process/io.ts'
import { type Change, tenantOf, withAudit, withSnapshot } from '../process/with-store.ts'

/** Sets the webhook of a tenant. A new secret is shown this once. */
export async function setWebhook(
  io: Io,
  tenantId: string,
  text: string,
  options: JsonOption & { rotateSecret?: true }
): Promise<void> {
  const fault = faultOfUrl(text, readWebhookNetworks(io.env))
  if (fault !== null) throw new UsageError(`the address ${fault}`)
  const { href: url } = new URL(text)
  const { shown, secret } = await withAudit(io, async ({ store, audited, record }) => {
    await tenantOf(store, tenantId)
    const webhooks = webhooksIn(store)
    const wish = { url, rotateSecret: options.rotateSecret === true }
    const deps = { webhooks, sealing: audited.keys.sealing }
    const made = prepareSetting(deps, tenantId, await webhooks.find(tenantId), wish, Date.now())
    const event = record(changeOf('setWebhook', 'PUT', made.webhook))
    await unlessOvertaken(writeIf(store.engine, [...made.statements, event]))
    return { shown: showWebhook(made.webhook, await countIn(store, tenantId)), secret: made.secret?.reveal() }
  })
  const answer = secret === undefined ? shown : { ...shown, secret }
  // Standard output has nothing but the secret, so that a shell can take it from there.
  print(io, options, answer, secret ?? `set the webhook of ${tenantId} to ${url}; its secret is as before`)
  if (secret !== undefined && !options.json)
    io.err(`webhook of ${tenantId}: ${url}. Its secret is shown this once; give it to the receiver.`)
}

export async function showTenantWebhook(io: Io, tenantId: string, options: JsonOption): Promise<void> {
  const shown = await withSnapshot(io, async store => {
    await tenantOf(store, tenantId)
    return showWebhook(await webhookOf(store, tenantId), await countIn(store, tenantId))
  })
  const { last_attempt: last, ...facts } = shown
  const lastText = last && `${last.at} ${last.error ?? 'delivered'} ${last.status ?? '-'} ${last.duration_ms} ms`
  const rows = Object.entries({ ...facts, last_attempt: lastText }).map(([name, value]) => [name, String(value ?? '-')])
  print(io, options, shown, table([['field', 'value'], ...rows], ''))
}

export async function removeWebhook(io: Io, tenantId: string, options: JsonOption): Promise<void> {
  await withAudit(io, async ({ store, record }) => {
    await tenantOf(store, tenantId)
    const webhook = await webhookOf(store, tenantId)
    const rows = [...webhooksIn(store).removed(webhook), record(changeOf('removeWebhook', 'DELETE', webhook))]
    await unlessOvertaken(writeIf(store.engine, rows))
  })
  print(io, options, { tenant: tenantId, removed: true }, `removed the webhook of ${tenantId}`)
}

/** Sends a test from this machine. @throws CommandError when it is not delivered */
export async function testWebhook(io: Io, tenantId: string, options: JsonOption): Promise<void> {
  const networks = readWebhookNetworks(io.env)
  const { url, attempt } = await withAudit(io, async ({ store, audited, record }) => {
    await tenantOf(store, tenantId)
    const webhook = await webhookOf(store, tenantId)
    // No record, no work.
    await store.engine.write([record(changeOf('testWebhook', 'POST', webhook))])
    const deliver = deliverer({ post: poster({ networks }), sealing: audited.keys.sealing, clock: systemClock })
    const message = testMessage(tenantId, Date.now())
    return { url: webhook.url, attempt: await deliver(webhook, message, new AbortController().signal) }
  })
  const { status, error, durationMs } = attempt
  const came = status === null ? 'no answer' : `status ${status}`
  if (error !== null) throw new CommandError(`not delivered to ${url}: ${error} (${came}, ${durationMs} ms)`)
  print(io, options, showAttempt(attempt), `delivered to ${url}: ${came}, ${durationMs} ms`)
}

async function webhookOf(store: Store, tenantId: string): Promise<Webhook> {
  const webhook = await webhooksIn(store).find(tenantId)
  if (webhook === null) throw new CommandError(`the tenant ${tenantId} has no webhook`)
  return webhook
}

function countIn(store: Store, tenantId: string): Promise<number> {
  return webhookDeliveriesIn(store).count(tenantId)
}

/** @throws CommandError when another process has changed it between our look and our write */
async function unlessOvertaken(written: Promise<boolean>): Promise<void> {
  if (!(await written)) throw new CommandError('somebody else has just changed this webhook: look, and try again')
}

function changeOf(action: string, method: Change['method'], { tenantId, url }: Webhook): Change {
  const resources: AuditResource[] = [
    { type: 'tenant', uid: tenantId },
    { type: 'webhook', uid: hostOf(url) }
  ]
  return { action, method, tenantId, resources }
}
