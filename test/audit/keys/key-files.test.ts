import { spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  AuditKeyError,
  dropRotation,
  finishRotation,
  type KeyPlaces,
  openAuditKeys,
  prepareRotation,
  type RememberedKeys,
  signingKeyFile
} from '../../../src/audit/keys/key-files.ts'
import { openNote } from '../../../src/audit/proof/note.ts'

const nothing: RememberedKeys = { publicKey: null, fingerprintCheck: null }
const signing = 'audit-signing.key'
const fingerprint = 'audit-fingerprint.key'

/** Two stores of keys: here, and elsewhere; and what the store remembers of those here. */
async function madeIn(t: { testdir(): string }) {
  const dataDir = join(t.testdir(), 'data')
  const keys = await openAuditKeys({ dataDir }, nothing)
  const elsewhere = join(dataDir, '..', 'elsewhere')
  await openAuditKeys({ dataDir: elsewhere }, nothing)
  return { dataDir, elsewhere, keys, remembered: keys.remembered, file: (name: string) => join(dataDir, name) }
}

/** Reason why the keys were refused; nothing that the files hold may stand in it. */
async function refusal(places: KeyPlaces, remembered: RememberedKeys): Promise<string> {
  const error = await openAuditKeys(places, remembered).then(
    () => new Error('was not refused'),
    error => error
  )
  if (!(error instanceof AuditKeyError)) throw error
  const secrets = readdirSync(places.dataDir).map(name => readFileSync(join(places.dataDir, name), 'utf8').trim())
  const told = `${error.message} ${error.stack} ${JSON.stringify(error.cause ?? '')}`
  const leaked = secrets.flatMap(text => text.split('\n')).filter(line => line !== '' && told.includes(line))
  if (leaked.length > 0) throw new Error('the message quotes a file')
  return error.message
}

t.test('both keys are made once, for their owner alone, and are the same ever after', async t => {
  const { dataDir, keys, file } = await madeIn(t)
  t.strictSame(readdirSync(dataDir).sort(), [fingerprint, signing])
  for (const name of [signing, fingerprint]) t.equal(statSync(file(name)).mode & 0o777, 0o600, name)
  t.equal(statSync(dataDir).mode & 0o777, 0o700)
  const again = await openAuditKeys({ dataDir }, keys.remembered)
  t.strictSame(again.remembered, keys.remembered)
  t.equal(openNote(again.signer.sign('text\n'), keys.signer.publicKey), 'text\n')
  t.equal(again.fingerprint('key', 'x'), keys.fingerprint('key', 'x'))
})

t.test('twenty that try to make them at once all get the same keys, and no draft is left', async t => {
  const dataDir = join(t.testdir(), 'data')
  const all = await Promise.all(Array.from({ length: 20 }, () => openAuditKeys({ dataDir }, nothing)))
  t.equal(new Set(all.map(({ remembered }) => JSON.stringify(remembered))).size, 1)
  t.strictSame(readdirSync(dataDir).sort(), [fingerprint, signing])
  t.strictSame((await openAuditKeys({ dataDir }, nothing)).remembered, all[0]?.remembered)
})

t.test('a fingerprint tests a known value, and tells nothing to who has no key', async t => {
  const { keys, file, elsewhere } = await madeIn(t)
  const secret = Buffer.from(readFileSync(file(fingerprint), 'utf8').trim(), 'hex')
  t.equal(secret.length, 32)
  const expected = createHmac('sha256', secret).update('key:known').digest('hex').slice(0, 32)
  t.equal(keys.fingerprint('key', 'known'), expected)
  t.not(keys.fingerprint('idempotency_key', 'known'), expected, 'of another kind')
  const theirs = await openAuditKeys({ dataDir: elsewhere }, nothing)
  t.not(theirs.fingerprint('key', 'known'), expected, 'of another gateway')
})

t.test('a key that is gone is not replaced: the file is named, and nothing is made', async t => {
  for (const name of [signing, fingerprint]) {
    const { dataDir, remembered, file } = await madeIn(t)
    rmSync(file(name))
    t.match(await refusal({ dataDir }, remembered), `${file(name)} is missing: restore it from a backup`)
    t.notOk(existsSync(file(name)))
    rmSync(dataDir, { recursive: true })
  }
})

t.test('the key of another log is refused', async t => {
  const { dataDir, elsewhere, remembered, file } = await madeIn(t)
  for (const [name, log] of [
    [signing, 'audit log is signed with'],
    [fingerprint, 'fingerprints were made with']
  ] as const) {
    const right = readFileSync(file(name))
    writeFileSync(file(name), readFileSync(join(elsewhere, name)))
    t.equal(await refusal({ dataDir }, remembered), `${file(name)} is not the key that this store's ${log}`)
    writeFileSync(file(name), right)
  }
  t.strictSame((await openAuditKeys({ dataDir }, remembered)).remembered, remembered)
})

t.test('a file that is no key is refused by its name, and its text is not repeated', async t => {
  const { dataDir, remembered, file } = await madeIn(t)
  const pem = readFileSync(file(signing), 'utf8')
  const hex = readFileSync(file(fingerprint), 'utf8')
  const garbage = ['', 'garbage-garbage', pem.slice(0, 60), pem.replace('PRIVATE', 'PUBLIC'), hex]
  for (const text of garbage) {
    writeFileSync(file(signing), text)
    t.equal(await refusal({ dataDir }, remembered), `${file(signing)} is not an Ed25519 private key in PEM`)
  }
  writeFileSync(file(signing), pem)
  for (const text of ['', 'garbage-garbage', hex.slice(2), `00${hex}`, hex.replace(/^./, 'g'), pem]) {
    writeFileSync(file(fingerprint), text)
    t.equal(await refusal({ dataDir }, remembered), `${file(fingerprint)} must hold 64 hex digits`)
  }
  rmSync(file(signing))
  mkdirSync(file(signing))
  const unreadable = () => openAuditKeys({ dataDir }, remembered)
  await t.rejects(unreadable(), { message: new RegExp(`${signing} cannot be read: .* is no regular file$`) })
  rmSync(file(signing), { recursive: true })
  spawnSync('mkfifo', [file(signing)])
  await t.rejects(unreadable(), { message: /is no regular file$/ }, 'and a pipe is not waited for')
  rmSync(file(signing))
  writeFileSync(file(signing), ' '.repeat(1024 * 1024 + 1))
  await t.rejects(unreadable(), { message: /is larger than 1 MiB$/ })
})

t.test('a folder that cannot be had is an error that says so', async t => {
  const { elsewhere } = await madeIn(t)
  const nowhere = join(elsewhere, 'nowhere')
  symlinkSync(join(elsewhere, 'not-there', 'either'), nowhere)
  const file = join(nowhere, signing)
  await t.rejects(openAuditKeys({ dataDir: nowhere }, nothing), { message: `${file} cannot be made: ENOENT` })
  writeFileSync(join(elsewhere, 'file'), '')
  const inFile = join(elsewhere, 'file', signing)
  await t.rejects(openAuditKeys({ dataDir: join(elsewhere, 'file') }, nothing), {
    message: `${inFile} cannot be read: ENOTDIR`
  })
})

t.test('keys that are given by file are read, and never made', async t => {
  const { elsewhere, dataDir } = await madeIn(t)
  const given = {
    dataDir: join(dataDir, 'empty'),
    signingKeyFile: join(elsewhere, signing),
    fingerprintKeyFile: join(elsewhere, fingerprint)
  }
  mkdirSync(given.dataDir)
  const theirs = await openAuditKeys({ dataDir: elsewhere }, nothing)
  t.strictSame((await openAuditKeys(given, nothing)).remembered, theirs.remembered)
  for (const name of ['signingKeyFile', 'fingerprintKeyFile'] as const) {
    const missing = { ...given, [name]: join(elsewhere, 'not-there') }
    t.match(await refusal(missing, nothing), `${missing[name]} is missing`)
  }
  t.strictSame(readdirSync(given.dataDir), [])
  t.strictSame(readdirSync(elsewhere).sort(), [fingerprint, signing])
  await t.rejects(
    prepareRotation(given),
    new AuditKeyError('the signing key is given by file: it cannot be replaced here')
  )
})

t.test('a prepared key takes over when the store says so, and not before', async t => {
  const { dataDir, elsewhere, remembered, file } = await madeIn(t)
  const next = await prepareRotation({ dataDir })
  t.not(next.publicKey, remembered.publicKey)
  t.equal(readdirSync(dataDir).length, 3)
  t.equal((await openAuditKeys({ dataDir }, remembered)).signer.publicKey, remembered.publicKey, 'not yet')

  const [prepared = ''] = readdirSync(dataDir).filter(name => name.includes('next'))
  const pem = readFileSync(file(prepared))
  writeFileSync(file(prepared), readFileSync(join(elsewhere, signing)))
  await finishRotation(signingKeyFile({ dataDir }), next.publicKey)
  t.equal((await openAuditKeys({ dataDir }, remembered)).signer.publicKey, remembered.publicKey, 'not another one')

  writeFileSync(file(prepared), pem)
  await finishRotation(signingKeyFile({ dataDir }), next.publicKey)
  t.strictSame(readdirSync(dataDir).sort(), [fingerprint, signing])
  t.equal(statSync(file(signing)).mode & 0o777, 0o600)
  const after = await openAuditKeys({ dataDir }, { ...remembered, publicKey: next.publicKey })
  t.equal(after.signer.publicKey, next.publicKey)
  t.match(await refusal({ dataDir }, remembered), 'is not the key', 'the one before is gone')
})

t.test('after a crash between the two steps the prepared key is there, for all who open the log', async t => {
  const { dataDir, remembered } = await madeIn(t)
  const unused = await prepareRotation({ dataDir })
  const next = await prepareRotation({ dataDir })
  t.not(unused.publicKey, next.publicKey)
  const now = { ...remembered, publicKey: next.publicKey }
  const all = await Promise.all(Array.from({ length: 20 }, () => openAuditKeys({ dataDir }, now)))
  t.strictSame(new Set(all.map(({ signer }) => signer.publicKey)), new Set([next.publicKey]))
  await dropRotation({ dataDir }, unused.publicKey)
  t.strictSame(readdirSync(dataDir).sort(), [fingerprint, signing], 'one that came to nothing can be dropped')
})
