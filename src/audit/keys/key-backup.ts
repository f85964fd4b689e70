import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto'
import { rename } from 'node:fs/promises'
import { Secret } from '../../domain/values/secret.ts'
import { readOwnFile } from '../copies.ts'
import {
  AuditKeyError,
  findAuditKeys,
  fingerprintKeyFile,
  type KeyPlaces,
  makeKeyFile,
  type RememberedKeys,
  signingKeyFile
} from './key-files.ts'

/** Both keys of a log, as their files have them. */
export interface KeyTexts {
  signing: Secret
  fingerprint: Secret
}

/** RFC 7914; 32 MiB and three passes, as OWASP recommends, so that it works in a small container too. */
const kdf = { N: 2 ** 15, r: 8, p: 3 } as const
const maxKdfBytes = 64 * 2 ** 20
const cipherName = 'aes-256-gcm'

/** Reads the keys of a log. @throws AuditKeyError when one is missing, or another one */
export async function readKeyTexts(places: KeyPlaces, remembered: RememberedKeys): Promise<KeyTexts> {
  if (remembered.publicKey === null) throw new AuditKeyError('this store has no keys yet: the first change makes them')
  await findAuditKeys(places, remembered)
  const [signing, fingerprint] = await Promise.all(
    [signingKeyFile(places), fingerprintKeyFile(places)].map(readOwnFile)
  )
  return { signing: new Secret(signing ?? ''), fingerprint: new Secret(fingerprint ?? '') }
}

/** The file of a backup's keys: JSON, sealed with a passphrase (scrypt, AES-256-GCM), or as they are when that is null. */
export function sealKeys({ signing, fingerprint }: KeyTexts, passphrase: Secret | null): string {
  const keys = JSON.stringify({ signing_key: signing.reveal(), fingerprint_key: fingerprint.reveal() })
  if (passphrase === null) return `{"livegate_keys":1,"sealed":false,"keys":${keys}}\n`
  const [salt, nonce] = [randomBytes(16), randomBytes(12)]
  const cipher = createCipheriv(cipherName, deriveKey(passphrase, salt), nonce)
  const data = Buffer.concat([cipher.update(keys, 'utf8'), cipher.final(), cipher.getAuthTag()])
  const [salted, once, sealed] = [salt, nonce, data].map(bytes => bytes.toString('base64'))
  return `${JSON.stringify({ livegate_keys: 1, sealed: true, salt: salted, nonce: once, data: sealed })}\n`
}

/**
 * Opens what `sealKeys` has made.
 * @param file its name, for the errors
 * @throws AuditKeyError when it is none, or when the passphrase is missing or wrong
 */
export function openKeys(file: string, text: string, passphrase: Secret | null): KeyTexts {
  const box = parse(text)
  if (box?.livegate_keys !== 1) throw new AuditKeyError(`${file} does not hold the keys of a backup`)
  if (box.sealed === false) return toTexts(file, box.keys)
  if (passphrase === null) throw new AuditKeyError(`${file} is sealed: give its passphrase with --passphrase-file`)
  const [salt, nonce, data] = [box.salt, box.nonce, box.data].map(part => Buffer.from(String(part), 'base64'))
  try {
    const tagAt = (data as Buffer).length - 16
    const decipher = createDecipheriv(cipherName, deriveKey(passphrase, salt as Buffer), nonce as Buffer)
    decipher.setAuthTag((data as Buffer).subarray(tagAt))
    const opened = Buffer.concat([decipher.update((data as Buffer).subarray(0, tagAt)), decipher.final()])
    return toTexts(file, parse(opened.toString('utf8')))
  } catch (cause) {
    throw new AuditKeyError(`${file} cannot be opened: the passphrase is another one, or the file is damaged`, {
      cause
    })
  }
}

/**
 * Puts keys where a log's keys are. What is there already may stay when it is the same; another one is kept beside it when it may
 * be replaced.
 * @throws AuditKeyError when another key is there that may not be replaced; nothing is changed then
 */
export async function placeKeys(
  places: KeyPlaces,
  texts: KeyTexts,
  mayReplace: boolean,
  suffix: string
): Promise<void> {
  const wanted = [
    { file: signingKeyFile(places), isGiven: places.signingKeyFile !== undefined, text: texts.signing },
    { file: fingerprintKeyFile(places), isGiven: places.fingerprintKeyFile !== undefined, text: texts.fingerprint }
  ]
  const found = await Promise.all(
    wanted.map(async one => ({ ...one, there: await readOwnFile(one.file).catch(() => null) }))
  )
  const others = found.filter(({ there, text }) => there?.trim() !== text.reveal().trim())
  const wrong = others.find(({ there, isGiven }) => isGiven || (there !== null && !mayReplace))
  if (wrong !== undefined) {
    throw new AuditKeyError(
      `${wrong.file} is not the key of the backup: ${wrong.isGiven ? 'it is given by file, so put the right one there' : 'move it away'}`
    )
  }
  for (const { file, there, text } of others) {
    if (there !== null) await rename(file, `${file}.superseded-${suffix}`)
    await makeKeyFile(file, text.reveal())
  }
}

function deriveKey(passphrase: Secret, salt: Buffer): Buffer {
  return scryptSync(passphrase.reveal().normalize('NFKC'), salt, 32, { ...kdf, maxmem: maxKdfBytes })
}

interface Box {
  livegate_keys?: unknown
  sealed?: unknown
  keys?: unknown
  salt?: unknown
  nonce?: unknown
  data?: unknown
  signing_key?: unknown
  fingerprint_key?: unknown
}

function toTexts(file: string, keys: unknown): KeyTexts {
  const { signing_key: signing, fingerprint_key: fingerprint } = (keys ?? {}) as Box
  if (typeof signing !== 'string' || typeof fingerprint !== 'string') {
    throw new AuditKeyError(`${file} does not hold the keys of a backup`)
  }
  return { signing: new Secret(signing), fingerprint: new Secret(fingerprint) }
}

function parse(text: string): Box | null {
  try {
    return JSON.parse(text) as Box
  } catch {
    return null
  }
}
