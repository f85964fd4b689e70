import { toAuditEvent } from '../audit/ocsf.ts'
import { isLoopback, readPublicUrl, readUpstreams } from '../config/config.ts'
import type { AuditOutcome } from '../domain/audit/audit-event.ts'
import { Failure } from '../domain/refusals/failures.ts'
import { heardEvents, type VendorWebhook, type WebhookWish, webhookUrl } from '../domain/webhooks/vendor-webhook.ts'
import type { Provider } from '../upstream/provider.ts'
import { CommandError, type Io, type JsonOption, print, table, UsageError } from './process/io.ts'
import { withUpstream } from './process/upstream-accounts.ts'
import { type Recording, withAudit } from './process/with-store.ts'

export interface WebhookOptions extends JsonOption {
  upstream?: string
}

/** Fate of the webhook of an upstream. */
type Result = 'registered' | 'corrected' | 'unchanged'

const deadlineMs = 10_000

/** Lets vendors send their webhooks to this gateway. What is registered already is corrected where it is wrong, and made once. */
export async function registerWebhooks(io: Io, base: string | undefined, options: WebhookOptions): Promise<void> {
  const publicUrl = readBase(io, base)
  const names = namesIn(io, options)
  const done = await withAudit(io, recording =>
    eachOf(io, names, async (name, provider) => {
      const url = webhookUrl(publicUrl, name)
      const wish = { name: 'livegate', url, events: [...heardEvents], enabled: true }
      return { upstream: name, ...(await registered(provider, name, wish, recording)) }
    })
  )
  const rows = done.results.map(({ upstream, webhook, result }) => [upstream, result, webhook.id, webhook.url])
  const shown = done.results.map(({ upstream, webhook, result }) => ({ upstream, result, ...shownOf(webhook) }))
  print(io, options, shown, table([['upstream', 'result', 'id', 'url'], ...rows], 'nothing was registered'))
  throwFailures(done.failures, names.length, 'registered')
}

/** Lists the webhooks of each upstream, those of others too. */
export async function listWebhooks(io: Io, options: WebhookOptions): Promise<void> {
  const names = namesIn(io, options)
  const done = await eachOf(io, names, async (name, provider) => {
    const webhooks = await provider.listWebhooks(AbortSignal.timeout(deadlineMs))
    return webhooks.map(webhook => ({ upstream: name, ...shownOf(webhook) }))
  })
  const all = done.results.flat()
  const rows = all.map(({ upstream, id, enabled, events, url }) => [
    upstream,
    id,
    enabled ? 'yes' : 'no',
    events.join(' '),
    url
  ])
  print(io, options, all, table([['upstream', 'id', 'enabled', 'events', 'url'], ...rows], 'no webhooks'))
  throwFailures(done.failures, names.length, 'listed')
}

/** Ends what `register` has begun, for the same address. */
export async function unregisterWebhooks(io: Io, base: string | undefined, options: WebhookOptions): Promise<void> {
  const publicUrl = readBase(io, base)
  const names = namesIn(io, options)
  const done = await withAudit(io, recording =>
    eachOf(io, names, async (name, provider) => {
      const url = webhookUrl(publicUrl, name)
      const ours = (await provider.listWebhooks(AbortSignal.timeout(deadlineMs))).filter(one => one.url === url)
      for (const webhook of ours) await remove(provider, name, webhook, recording)
      return ours.map(webhook => ({ upstream: name, ...shownOf(webhook) }))
    })
  )
  const removed = done.results.flat()
  const rows = removed.map(({ upstream, id, url }) => [upstream, id, url])
  print(io, options, removed, table([['upstream', 'removed', 'url'], ...rows], 'no webhook leads there'))
  throwFailures(done.failures, names.length, 'unregistered')
}

/** Looks first, since a vendor makes a second one of the same. Others that lead to the same address go. */
async function registered(
  provider: Provider,
  name: string,
  wish: WebhookWish,
  recording: Recording
): Promise<{ webhook: VendorWebhook; result: Result }> {
  const signal = () => AbortSignal.timeout(deadlineMs)
  const [first, ...others] = (await provider.listWebhooks(signal())).filter(({ url }) => url === wish.url)
  for (const other of others) await remove(provider, name, other, recording)
  if (first === undefined) {
    const act = { action: 'registerWebhook', method: 'POST', upstream: name } as const
    return { webhook: await recorded(recording, act, () => provider.addWebhook(wish, signal())), result: 'registered' }
  }
  const { events, enabled } = wish
  const isRight = first.enabled && events.every(event => first.events.includes(event))
  if (isRight) return { webhook: first, result: 'unchanged' }
  const act = { action: 'correctWebhook', method: 'PATCH', upstream: name, webhookId: first.id } as const
  const change = { events: [...new Set([...events, ...first.events])], enabled }
  const webhook = await recorded(recording, act, () => provider.changeWebhook(first.id, change, signal()))
  return { webhook, result: 'corrected' }
}

async function remove(
  provider: Provider,
  upstream: string,
  { id }: VendorWebhook,
  recording: Recording
): Promise<void> {
  const act = { action: 'unregisterWebhook', method: 'DELETE', upstream, webhookId: id } as const
  await recorded(recording, act, () => provider.removeWebhook(id, AbortSignal.timeout(deadlineMs)))
}

interface Act {
  action: string
  method: 'POST' | 'PATCH' | 'DELETE'
  upstream: string
  webhookId?: string
}

/** Changes something at a vendor: on record before it is sent, and again with its outcome. */
async function recorded<T>({ store, audited, worker }: Recording, act: Act, work: () => Promise<T>): Promise<T> {
  const { action, method, upstream, webhookId } = act
  const resources = [
    { type: 'upstream' as const, uid: upstream },
    ...(webhookId === undefined ? [] : [{ type: 'webhook' as const, uid: webhookId }])
  ]
  const subject = { action, method, tenantId: null, keyId: null, address: null, resources, ...worker }
  const record = async (outcome: AuditOutcome, type?: string): Promise<void> => {
    await store.engine.write([audited.events.append(toAuditEvent(subject, { outcome, type }, Date.now()))])
  }
  await record('pending')
  try {
    const done = await work()
    await record('done')
    return done
  } catch (error) {
    if (error instanceof Failure) await record(error.outcome ?? 'failed', error.type)
    throw error
  }
}

/** Does it for each upstream, whatever becomes of the others. */
async function eachOf<T>(
  io: Io,
  names: readonly string[],
  work: (name: string, provider: Provider) => Promise<T>
): Promise<{ results: T[]; failures: string[] }> {
  const results: T[] = []
  const failures: string[] = []
  for (const name of names) {
    try {
      results.push(
        await withUpstream(io, name, deadlineMs, upstream =>
          work(name, upstream.on({ tenantId: 'operator', priority: 'mutation' }))
        )
      )
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      failures.push(`upstream ${name}: ${inWords(error)}`)
    }
  }
  return { results, failures }
}

/** With the vendor's own words, which are for the operator. */
function inWords({ message, details = [], upstreamReason }: Failure): string {
  const more = [...details.map(({ field, message }) => `${field} ${message}`), upstreamReason]
  return [message, ...more.filter(text => text !== undefined)].join('; ')
}

/** @throws CommandError */
function throwFailures(failures: readonly string[], of: number, what: string): void {
  if (failures.length > 0) throw new CommandError(`${failures.length} of ${of} not ${what}; ${failures.join('; ')}`)
}

/** @throws UsageError when there is no such upstream */
function namesIn(io: Io, { upstream }: WebhookOptions): string[] {
  const names = readUpstreams(io.env).map(({ name }) => name)
  if (upstream === undefined) return names
  if (!names.includes(upstream))
    throw new UsageError(`--upstream: there is no upstream ${upstream}; there is ${names.join(', ')}`)
  return [upstream]
}

/** The address at which vendors reach the gateway. @throws UsageError */
function readBase(io: Io, text: string | undefined): URL {
  const configured = readPublicUrl(io.env)
  if (text === undefined && configured !== null) return configured
  const url = text === undefined ? null : URL.parse(text)
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === ''
  const isSecure = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))
  if (url !== null && isPlain && isSecure) return url
  throw new UsageError(
    'give the address at which the vendor reaches this gateway, like https://video.example.com, or set LIVEGATE_PUBLIC_URL (the path /webhooks/… is added)'
  )
}

function shownOf({ id, url, events, enabled }: VendorWebhook) {
  return { id, url, events, enabled }
}
