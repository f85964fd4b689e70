import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto'

/**
 * Signed notes as C2SP defines them (c2sp.org/signed-note): a text, an empty line, a line with an Ed25519 signature. Other
 * people's tools read them.
 */
export interface Signer {
  /** The public half, as a verifier key. */
  readonly publicKey: string
  /** @param text one line or more, each with its line feed */
  sign(text: string): string
}

/** The name of our keys; in a verifier key it stands before the key itself. */
const keyName = 'livegate.audit'
const ed25519 = Buffer.from([1])
/** Bytes before the 32 of an Ed25519 public key in DER (RFC 8410, section 4). */
const derPrefix = Buffer.from('302a300506032b6570032100', 'hex')
const signatureLength = 64
const idLength = 4

export function signerOf(privateKey: KeyObject): Signer {
  const raw = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(derPrefix.length)
  const id = keyId(raw)
  return {
    publicKey: `${keyName}+${id.toString('hex')}+${Buffer.concat([ed25519, raw]).toString('base64')}`,
    sign(text) {
      const signature = sign(null, Buffer.from(text), privateKey)
      return `${text}\n— ${keyName} ${Buffer.concat([id, signature]).toString('base64')}\n`
    }
  }
}

/** The text of a note when this key has signed it, else null. Not a byte may differ from how it was written. */
export function openNote(note: string, publicKey: string): string | null {
  const raw = readPublicKey(publicKey)
  const end = note.lastIndexOf('\n\n')
  const signatures = note.slice(end + 2)
  if (raw === null || end < 0 || !/^(?:— \S+ \S+\n)+$/.test(signatures)) return null
  const text = note.slice(0, end + 1)
  const key = createPublicKey({ key: Buffer.concat([derPrefix, raw]), format: 'der', type: 'spki' })
  for (const [, name, encoded = ''] of signatures.matchAll(/^— (\S+) (\S+)$/gm)) {
    const bytes = readBase64(encoded)
    const ours = name === keyName && bytes.length === idLength + signatureLength && bytes.indexOf(keyId(raw)) === 0
    if (ours) return verify(null, Buffer.from(text), key, bytes.subarray(idLength)) ? text : null
  }
  return null
}

/** The 32 bytes of a verifier key, or null when the text is none. */
export function readPublicKey(text: string): Buffer | null {
  const [, name, id, encoded = ''] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trim()) ?? []
  const bytes = readBase64(encoded)
  const raw = bytes.subarray(1)
  const fits = name === keyName && raw.length === 32 && bytes[0] === ed25519[0] && id === keyId(raw).toString('hex')
  return fits ? raw : null
}

function keyId(raw: Buffer): Buffer {
  const digest = hash('sha256', Buffer.concat([Buffer.from(`${keyName}\n`), ed25519, raw]), 'buffer')
  return digest.subarray(0, idLength)
}

/** Nothing of a text that is not exactly how these bytes are written. */
function readBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : Buffer.alloc(0)
}
