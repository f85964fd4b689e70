import { createPublicKey, createSign, generateKeyPairSync, type KeyObject } from 'node:crypto'

/** Made once for all simulators of a process, since it takes a moment: no key stands in the source. */
let usual: KeyObject | undefined

/** The key with which a simulated vendor signs its webhooks (contract#webhook-signature): one for all of its customers. */
export class SigningKey {
  #key: KeyObject | undefined

  /** From now on another key signs, and is the one that is published. */
  rotate(): void {
    this.#key = newKey()
  }

  /** Base64, over the bytes as they are sent. */
  sign(body: string): string {
    return createSign('RSA-SHA256').update(body).sign(this.#current, 'base64')
  }

  publicPem(): string {
    return createPublicKey(this.#current).export({ type: 'spki', format: 'pem' }).toString()
  }

  get #current(): KeyObject {
    if (this.#key !== undefined) return this.#key
    usual ??= newKey()
    return usual
  }
}

function newKey(): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey
}
