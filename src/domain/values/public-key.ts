import { createPublicKey, type KeyObject } from 'node:crypto'

const leastBits = 2_048

/** The public key of a PEM text; null unless it is one of RSA, long enough to prove something. A private key is none to have here. */
export function readPublicKey(pem: string): KeyObject | null {
  if (!/^\s*-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(pem)) return null
  try {
    const key = createPublicKey(pem)
    const { modulusLength = 0 } = key.asymmetricKeyDetails ?? {}
    return key.asymmetricKeyType === 'rsa' && modulusLength >= leastBits ? key : null
  } catch {
    return null
  }
}
