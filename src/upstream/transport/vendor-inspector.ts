import { UpstreamMalformed, UpstreamTooLate } from '../../domain/refusals/failures.ts'
import type { UpstreamAccount } from '../../domain/upstream-account.ts'
import type { Clock } from '../../domain/values/clock.ts'
import type { Secret } from '../../domain/values/secret.ts'
import type { Call, RawVendorAnswer } from './call.ts'
import { UpstreamClient } from './client.ts'

/** A call as it is sent, whatever the vendor makes of it. */
export interface InspectorCall extends Pick<Call, 'method' | 'path' | 'body'> {
  /** The path before `path`; default that of the account's address. */
  under?: string
}

/** An answer, and when by our clock it was asked and heard. */
export interface Heard extends RawVendorAnswer {
  askedAtMs: number
  heardAtMs: number
}

export interface InspectorOptions {
  account: Pick<UpstreamAccount, 'baseUrl' | 'proxy'>
  /** Longest time of a question. */
  deadlineMs: number
  clock: Pick<Clock, 'now'>
}

/**
 * Asks a vendor account what a `Provider` hides: which status, in which shape, at which time. It is for a diagnosis. Its calls pass
 * neither budget nor breaker, so they must be few.
 */
export class VendorInspector {
  readonly #client: UpstreamClient
  readonly #options: InspectorOptions
  readonly #basePath: string

  constructor(options: InspectorOptions) {
    const { baseUrl, proxy } = options.account
    this.#options = options
    this.#basePath = baseUrl.pathname.replace(/\/+$/, '')
    // No connection is used twice: an answer that comes late must not be taken for another's.
    this.#client = new UpstreamClient({ baseUrl: new URL(baseUrl.origin), proxy, keepAlive: false })
  }

  /** @throws Failure when no answer comes; `whyNoAnswer` says why */
  async ask({ method, path, body, under = this.#basePath }: InspectorCall, authorization: Secret): Promise<Heard> {
    const { clock, deadlineMs } = this.#options
    const askedAtMs = clock.now()
    const answer = await this.#client.ask({
      method,
      path: under + path,
      ...(body !== undefined && { body }),
      authorization,
      signal: AbortSignal.timeout(deadlineMs)
    })
    return { ...answer, askedAtMs, heardAtMs: clock.now() }
  }

  async close(): Promise<void> {
    await this.#client.close()
  }
}

const noName = ['ENOTFOUND', 'EAI_AGAIN']
const tooLate = ['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT']
const tls = /CERT|SSL|TLS|EPROTO|SIGNATURE|SELF_SIGNED/

/** undici's words for a proxy that refuses CONNECT. */
const refusedTunnel = /Proxy response \((\d+)\)/

/** Says to the operator why no answer came. Names the address and the proxy, but not the account that may stand in the path. */
export function whyNoAnswer(failure: Error, { baseUrl, proxy }: Pick<UpstreamAccount, 'baseUrl' | 'proxy'>): string {
  const { origin, host } = baseUrl
  const cause = failure.cause instanceof Error ? failure.cause.message : ''
  const code = /(?:^|: )\w+ ([A-Z0-9_]+): /.exec(cause)?.[1] ?? ''
  const [, refusal] = refusedTunnel.exec(cause) ?? []
  const { origin: next, hostname } = proxy === undefined ? baseUrl : new URL(proxy.origin)
  const through = proxy === undefined ? '' : ` through the proxy ${next}`
  if (refusal === '407') return `the proxy ${next} wants a user and a password, or others than it was given (407)`
  if (refusal !== undefined) return `the proxy ${next} does not connect to ${host} (${refusal})`
  if (noName.includes(code)) return `the name ${hostname} is not found (${code})`
  if (code === 'ECONNREFUSED') return `nothing listens at ${next}: connection refused`
  if (failure instanceof UpstreamTooLate || tooLate.includes(code)) return `no answer from ${origin}${through} in time`
  if (tls.test(code)) return `no secure connection to ${host}${through}: TLS failed (${code})`
  if (failure instanceof UpstreamMalformed)
    return `what answers at ${origin}${through} is no such API: not HTTP, or far too long`
  return `the connection to ${origin}${through} broke${/^(UND_.*)?$/.test(code) ? '' : ` (${code})`}`
}
