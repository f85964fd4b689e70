import { resolve } from 'node:path'
import type { WebhookKeySource } from '../domain/upstream-account.ts'
import { readPublicKey } from '../domain/values/public-key.ts'
import type { Input } from './environment.ts'
import { readOutgoingProxy } from './outgoing-proxy.ts'

export const webhookKeyUrl = 'LIVEGATE_WEBHOOK_KEY_URL'
/** It names a file, and is no secret that comes from one. */
export const webhookKeyFile = 'LIVEGATE_WEBHOOK_KEY_FILE'

/** Names of the two settings, of which one at most may be given. */
export interface WebhookKeyNames {
  webhookKeyUrl: string
  webhookKeyFile: string
}

/** Reads where the key of an account's webhooks is. @param usual its address at the vendor's */
export function readWebhookKey(
  input: Input,
  { webhookKeyUrl: urlName, webhookKeyFile: fileName }: WebhookKeyNames,
  usual: URL
): WebhookKeySource {
  const file = input.text(fileName, '')
  if (file === '') return { url: input.address(urlName, usual.href) }
  if (input.text(urlName, '') !== '') input.problem(`${urlName} and ${fileName} are both set`)
  const pem = input.file(resolve(file))
  if (pem === null) input.problem(`${fileName} cannot be read`)
  else if (readPublicKey(pem) === null)
    input.problem(`${fileName} must hold a public key of RSA with at least 2048 bits, as PEM`)
  return Object.freeze({ pem: pem ?? '' })
}

/** The same with the way to it: the key may be behind a proxy although the account is not, or the other way round. */
export function withProxy(input: Input, source: WebhookKeySource): WebhookKeySource {
  if (!('url' in source)) return source
  return Object.freeze({ ...source, proxy: readOutgoingProxy(input, source.url) })
}
