import { hash, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Scope } from './scope.ts'
import { Secret } from './values/secret.ts'

/**
 * A key of a tenant, as it is kept: the secret itself is never stored, only the digest of the whole key.
 * Its text is `lgk_<id>_<secret><checksum>`: 12 + 43 + 6 base62 characters.
 */
export interface ApiKey {
  readonly id: string
  readonly tenantId: string
  readonly name: string
  readonly scopes: readonly Scope[]
  /** SHA-256 of the whole key in hex. A fast hash suffices: the secret carries 256 random bits. */
  readonly digest: string
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
  readonly revokedAtMs: number | null
  /** The key whose place it has taken; null for one that was made anew. */
  readonly predecessorId: string | null
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const idLength = 12
const secretLength = 43 // 62 ** 43 > 2 ** 256
const checksumLength = 6 // 62 ** 6 > 2 ** 32

const shape = new RegExp(
  `^lgk_(?<id>[0-9A-Za-z]{${idLength}})_(?<secret>[0-9A-Za-z]{${secretLength}})(?<checksum>[0-9A-Za-z]{${checksumLength}})$`
)

/** The id of a key, as it stands in the CLI and in the audit log. */
export const keyIdPattern = new RegExp(`^[0-9A-Za-z]{${idLength}}$`)

/** Makes a new key. The `Secret` holds its whole text, which is to be shown once and never stored. */
export function makeKey(): { id: string; key: Secret; digest: string } {
  const id = randomText(idLength)
  const body = `lgk_${id}_${randomText(secretLength)}`
  const text = body + checksum(body)
  return { id, key: new Secret(text), digest: digestKey(text) }
}

/**
 * The key's id when the text has a key's form and its checksum holds, else null. It says nothing about whether the key
 * exists: it lets scanners and the gateway tell a mistyped key without a look-up.
 */
export function parseKey(text: string): { id: string } | null {
  const groups = shape.exec(text)?.groups
  if (groups?.id === undefined) return null
  return checksum(text.slice(0, -checksumLength)) === groups.checksum ? { id: groups.id } : null
}

/** SHA-256 in hex of the whole key's text: what is stored and looked up. */
export function digestKey(text: string): string {
  return hash('sha256', text)
}

/** Each character is drawn without bias: `randomInt` rejects what would make some letters likelier. */
function randomText(length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('')
}

/** CRC-32 in base62, padded to six characters. */
function checksum(body: string): string {
  let rest = crc32(body)
  let text = ''
  while (text.length < checksumLength) {
    text = alphabet[rest % alphabet.length] + text
    rest = Math.floor(rest / alphabet.length)
  }
  return text
}
