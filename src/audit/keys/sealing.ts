import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { Secret } from '../../domain/values/secret.ts'

/**
 * Seals secrets that the gateway has to know again: AES-256-GCM under a key that is made of the fingerprint key (HKDF, RFC 5869). Whoever
 * has the store alone learns nothing of them.
 */
export interface Sealing {
  /** @param owner it opens for this one alone, so that nobody can put a sealed text into another row */
  seal(secret: Secret, owner: string): string
  /** Null when it was sealed for somebody else, with another key, or was changed. */
  open(sealed: string, owner: string): Secret | null
}

const cipherName = 'aes-256-gcm'
const nonceLength = 12
const tagLength = 16

/** @param bytes the fingerprint key */
export function sealingWith(bytes: Buffer): Sealing {
  const key = Buffer.from(hkdfSync('sha256', bytes, '', 'livegate webhook secrets', 32))
  return {
    seal(secret, owner) {
      const nonce = randomBytes(nonceLength)
      const cipher = createCipheriv(cipherName, key, nonce).setAAD(Buffer.from(owner))
      const sealed = [nonce, cipher.update(secret.reveal(), 'utf8'), cipher.final(), cipher.getAuthTag()]
      return Buffer.concat(sealed).toString('base64')
    },

    open(sealed, owner) {
      const box = Buffer.from(sealed, 'base64')
      const tagAt = box.length - tagLength
      try {
        const decipher = createDecipheriv(cipherName, key, box.subarray(0, nonceLength), { authTagLength: tagLength })
        decipher.setAAD(Buffer.from(owner)).setAuthTag(box.subarray(tagAt))
        return new Secret(
          `${decipher.update(box.subarray(nonceLength, tagAt), undefined, 'utf8')}${decipher.final('utf8')}`
        )
      } catch {
        return null
      }
    }
  }
}
