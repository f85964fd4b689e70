import { createHmac, createPrivateKey, createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { access, link, mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readOwnFile } from '../copies.ts'
import { type Signer, signerOf } from '../proof/note.ts'
import { type Sealing, sealingWith } from './sealing.ts'

/** The keys are not there, or not the right ones: a log must not go on without what proves it. */
export class AuditKeyError extends Error {}

export interface KeyPlaces {
  /** Folder for keys that are made because none were given. */
  dataDir: string
  /** Given by file: never made, never replaced. */
  signingKeyFile?: string | undefined
  fingerprintKeyFile?: string | undefined
  /** False: no key is made by the way, since a store on another machine outlives this folder. */
  areMade?: boolean
}

/** Facts that the store remembers of its keys, so that a lost one is not silently replaced. */
export interface RememberedKeys {
  publicKey: string | null
  fingerprintCheck: string | null
}

export interface AuditKeys {
  readonly signer: Signer
  readonly fingerprint: Fingerprint
  readonly sealing: Sealing
  /** Facts for the store to remember. */
  readonly remembered: { readonly publicKey: string; readonly fingerprintCheck: string }
}

/**
 * A short text that says whether two secrets are equal, to nobody but who has the key: an operator can test a value that he
 * knows, and a reader of the log cannot guess. 128 bits of HMAC-SHA-256 in hex.
 */
export type Fingerprint = (
  kind: 'key' | 'idempotency_key' | 'request' | 'check' | 'upstream_account' | 'participant',
  text: string
) => string

const signingKeyName = 'audit-signing.key'
const fingerprintKeyName = 'audit-fingerprint.key'

/**
 * Reads both keys, or makes them when the store remembers none.
 * @throws AuditKeyError when a key is missing, unreadable, or not the one that the store's log was signed with
 */
export async function openAuditKeys(places: KeyPlaces, remembered: RememberedKeys): Promise<AuditKeys> {
  const signingFile = signingKeyFile(places)
  await finishRotation(signingFile, remembered.publicKey)
  const { areMade = true } = places
  return readKeys(places, remembered, signingFile, {
    signing: areMade && places.signingKeyFile === undefined && remembered.publicKey === null,
    fingerprint: areMade && places.fingerprintKeyFile === undefined && remembered.fingerprintCheck === null
  })
}

/**
 * Checks that both keys are there, and neither makes nor moves any. Before a store has keys none are missed.
 * @throws AuditKeyError as `openAuditKeys` does
 */
export async function findAuditKeys(places: KeyPlaces, remembered: RememberedKeys): Promise<void> {
  if (remembered.publicKey === null) return
  const signingFile = signingKeyFile(places)
  const prepared = nextOf(signingFile, remembered.publicKey)
  // After a crash in a rotation it is the prepared one that signs; the next start puts it in place.
  const isPrepared = await access(prepared).then(
    () => true,
    () => false
  )
  await readKeys(places, remembered, isPrepared ? prepared : signingFile, { signing: false, fingerprint: false })
}

/**
 * Takes the keys that are there, whatever the store remembers, and makes those that are not.
 * @throws AuditKeyError when one is no key, or is given by file and missing
 */
export async function takeKeys(places: KeyPlaces, remembered: RememberedKeys): Promise<AuditKeys> {
  const signingFile = signingKeyFile(places)
  await finishRotation(signingFile, remembered.publicKey)
  return readKeys(places, { publicKey: null, fingerprintCheck: null }, signingFile, {
    signing: places.signingKeyFile === undefined,
    fingerprint: places.fingerprintKeyFile === undefined
  })
}

const lost = 'restore it from a backup; when it is lost for good: livegate audit rotate-key --lost'
const neverMade = '`livegate audit init-keys <folder>` makes the keys of a store, once'

async function readKeys(
  places: KeyPlaces,
  remembered: RememberedKeys,
  signingFile: string,
  mayMake: { signing: boolean; fingerprint: boolean }
): Promise<AuditKeys> {
  const remedy = remembered.publicKey === null ? neverMade : lost
  const pem = await readOrMake(signingFile, makeSigningKey, mayMake.signing, remedy)
  const signer = signerOf(toPrivateKey(signingFile, pem))
  if (remembered.publicKey !== null && remembered.publicKey !== signer.publicKey) {
    throw new AuditKeyError(`${signingFile} is not the key that this store's audit log is signed with`)
  }

  const fingerprintFile = fingerprintKeyFile(places)
  const text = await readOrMake(fingerprintFile, makeFingerprintKey, mayMake.fingerprint, remedy)
  const bytes = toBytes(fingerprintFile, text)
  const fingerprint = fingerprintWith(bytes)
  const fingerprintCheck = fingerprint('check', 'livegate')
  if (remembered.fingerprintCheck !== null && remembered.fingerprintCheck !== fingerprintCheck) {
    throw new AuditKeyError(`${fingerprintFile} is not the key that this store's fingerprints were made with`)
  }
  return {
    signer,
    fingerprint,
    sealing: sealingWith(bytes),
    remembered: { publicKey: signer.publicKey, fingerprintCheck }
  }
}

/** A new signing key, ready beside the one that signs. `finishRotation` puts it in place once the store says so. */
export async function prepareRotation(places: KeyPlaces): Promise<Signer> {
  if (places.signingKeyFile !== undefined) {
    throw new AuditKeyError('the signing key is given by file: it cannot be replaced here')
  }
  const file = signingKeyFile(places)
  const pem = makeSigningKey()
  const signer = signerOf(toPrivateKey(file, pem))
  await makeKeyFile(nextOf(file, signer.publicKey), pem)
  return signer
}

/** Forgets a key that was prepared when it came to nothing. */
export async function dropRotation(places: KeyPlaces, publicKey: string): Promise<void> {
  await rm(nextOf(signingKeyFile(places), publicKey), { force: true })
}

/** After a rotation, or after a crash in one: the prepared key takes its place when the store says that it signs. */
export async function finishRotation(signingFile: string, publicKey: string | null): Promise<void> {
  if (publicKey === null) return
  const next = nextOf(signingFile, publicKey)
  const text = await readOwnFile(next).catch(() => null)
  if (text === null || signerOf(toPrivateKey(next, text)).publicKey !== publicKey) return
  await rename(next, signingFile).catch(error => {
    if (error.code !== 'ENOENT') throw error // else another process has just put it there
  })
  await syncFolder(dirname(signingFile))
}

export function signingKeyFile({ dataDir, signingKeyFile: given }: KeyPlaces): string {
  return given ?? join(dataDir, signingKeyName)
}

export function fingerprintKeyFile({ dataDir, fingerprintKeyFile: given }: KeyPlaces): string {
  return given ?? join(dataDir, fingerprintKeyName)
}

/** Each prepared key has a name of its own: of two rotations at once, the key of the one that wins is still there. */
function nextOf(signingFile: string, publicKey: string): string {
  return `${signingFile}.next-${publicKey.split('+')[1]}`
}

function makeSigningKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function makeFingerprintKey(): string {
  return `${randomBytes(32).toString('hex')}\n`
}

function toPrivateKey(file: string, pem: string) {
  try {
    const key = createPrivateKey(pem)
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch {
    // The library's message may quote the key.
  }
  throw new AuditKeyError(`${file} is not an Ed25519 private key in PEM`)
}

function toBytes(file: string, text: string): Buffer {
  if (!/^[0-9a-f]{64}$/i.test(text.trim())) throw new AuditKeyError(`${file} must hold 64 hex digits`)
  return Buffer.from(text.trim(), 'hex')
}

function fingerprintWith(bytes: Buffer): Fingerprint {
  // Made once: from bytes it would be made anew for each text, which takes five times as long as the rest.
  const key = createSecretKey(bytes)
  return (kind, text) => createHmac('sha256', key).update(`${kind}:${text}`).digest('hex').slice(0, 32)
}

async function readOrMake(file: string, makeText: () => string, mayMake: boolean, remedy: string): Promise<string> {
  const read = () => readOwnFile(file)
  try {
    return await read()
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    if (!missing) throw new AuditKeyError(`${file} cannot be read: ${(cause as Error).message}`, { cause })
    if (!mayMake) throw new AuditKeyError(`${file} is missing: ${remedy}`)
  }
  await makeKeyFile(file, makeText())
  return await read()
}

/** Makes a key's file, whole, durable and for nobody else to read; one that is there already stays. @throws AuditKeyError */
export async function makeKeyFile(file: string, text: string): Promise<void> {
  await makeOnce(file, text).catch(cause => {
    throw new AuditKeyError(`${file} cannot be made: ${cause.message}`, { cause })
  })
}

/** Whole and durable, or not there; of several who try at once one wins, and all read the winner's. */
async function makeOnce(file: string, text: string): Promise<void> {
  const folder = dirname(file)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(draft, text, { flag: 'wx', mode: 0o600, flush: true })
    await link(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
  await syncFolder(folder)
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}
