import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto'
import t from 'tap'
import { openNote, readPublicKey, signerOf } from '../../../src/audit/proof/note.ts'
import fc, { runs } from '../../support/runner/properties.ts'

const { privateKey } = generateKeyPairSync('ed25519')
const signer = signerOf(privateKey)
const other = signerOf(generateKeyPairSync('ed25519').privateKey)
const text = 'livegate.audit/0123\n7\nhash\ntime 2026-11-20T09:30:00.000Z\n'

/** The 32 bytes of a public key, as JSON Web Keys carry them: another way than the one that is tested. */
function rawOf(key: KeyObject): Buffer {
  return Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url')
}

/** The key id of C2SP signed-note: SHA-256 of name, line feed, the byte for Ed25519 and the key, first four bytes. */
function keyIdOf(name: string, key: KeyObject): Buffer {
  const bytes = Buffer.concat([Buffer.from(name), Buffer.from([0x0a, 0x01]), rawOf(key)])
  return createHash('sha256').update(bytes).digest().subarray(0, 4)
}

/** Name, key id and key of a verifier key; the base64 of the key may hold a plus too. */
const parts = (verifierKey: string): string[] => /^([^+]+)\+([^+]+)\+(.+)$/.exec(verifierKey) ?? []

/** Some lines of text, as a note may have. */
const someText = fc
  .array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 5 })
  .map(lines => lines.map(line => `${line}\n`).join(''))

t.test("a note is C2SP's signed note: text, empty line, and an Ed25519 signature with name and key id", async t => {
  const [, name = '', id, key = ''] = parts(signer.publicKey)
  t.equal(name, 'livegate.audit')
  t.equal(id, keyIdOf(name, privateKey).toString('hex'))
  t.strictSame(Buffer.from(key, 'base64'), Buffer.concat([Buffer.from([1]), rawOf(privateKey)]))

  const note = signer.sign(text)
  t.ok(note.startsWith(`${text}\n— livegate.audit `))
  const [, encoded = ''] = /^— livegate\.audit (\S+)\n$/.exec(note.slice(text.length + 1)) ?? []
  const signature = Buffer.from(encoded, 'base64')
  t.equal(signature.length, 4 + 64)
  t.strictSame(signature.subarray(0, 4), keyIdOf(name, privateKey))
  t.ok(verify(null, Buffer.from(text), createPublicKey(privateKey), signature.subarray(4)))
})

t.test('a signed text is read again by its own key alone, whatever it says', async t => {
  fc.assert(
    fc.property(someText, said => {
      const note = signer.sign(said)
      return openNote(note, signer.publicKey) === said && openNote(note, other.publicKey) === null
    })
  )
  t.pass('each was read by its own key alone')
})

t.test('any changed byte, of the text or of the signature, is noticed', async t => {
  const note = Buffer.from(signer.sign(text))
  fc.assert(
    fc.property(fc.nat(note.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = Buffer.from(note)
      damaged.writeUInt8(note.readUInt8(at) ^ flip, at)
      return openNote(damaged.toString(), signer.publicKey) === null
    }),
    { numRuns: runs(2_000) }
  )
  t.pass('none was read')
})

t.test('a note that was cut anywhere, or made longer, is noticed', async t => {
  const note = signer.sign(text)
  const cut = Array.from(note, (_, length) => note.slice(0, length))
  t.strictSame(
    cut.filter(part => openNote(part, signer.publicKey) !== null),
    []
  )
  for (const more of ['\n', ' ', 'x', '\nmore\n', '— livegate.audit\n']) {
    t.equal(openNote(note + more, signer.publicKey), null, JSON.stringify(more))
    t.equal(openNote(more + note, signer.publicKey), null, JSON.stringify(more))
  }
})

t.test('a note may be signed by others too, as C2SP says: each is read by its own key', async t => {
  const [, theirs = ''] = other.sign(text).split('\n\n')
  const foreign = `— example.com/witness ${Buffer.alloc(68, 7).toString('base64')}\n`
  const note = `${text}\n${foreign}${theirs}${signer.sign(text).split('\n\n')[1]}`
  t.equal(openNote(note, signer.publicKey), text)
  t.equal(openNote(note, other.publicKey), text)
})

t.test("a signature of ours under another name, or another's with our key id, is none", async t => {
  const note = signer.sign(text)
  t.equal(openNote(note.replace('— livegate.audit ', '— livegate.other '), signer.publicKey), null)
  const forged = Buffer.from(other.sign(text).trimEnd().split(' ').at(-1) ?? '', 'base64')
  keyIdOf('livegate.audit', privateKey).copy(forged)
  const line = `— livegate.audit ${forged.toString('base64')}\n`
  t.equal(openNote(`${text}\n${line}`, signer.publicKey), null)
  t.equal(openNote(`${note}${line}`, signer.publicKey), text, 'the first of our key decides')
  t.equal(openNote(`${text}\n${line}${note.split('\n\n')[1]}`, signer.publicKey), null, 'also when it does not hold')
})

t.test('a verifier key that was damaged is none, and white space around it does not matter', async t => {
  const { publicKey } = signer
  t.strictSame(readPublicKey(` ${publicKey}\n`), rawOf(privateKey))
  fc.assert(
    fc.property(fc.nat(publicKey.length - 1), fc.integer({ min: 33, max: 126 }), (at, code) => {
      const damaged = publicKey.slice(0, at) + String.fromCharCode(code) + publicKey.slice(at + 1)
      return readPublicKey(damaged) === null || damaged === publicKey
    }),
    { numRuns: runs(1_000) }
  )
  fc.assert(fc.property(fc.string(), garbage => readPublicKey(garbage) === null))
  for (const more of ['=', 'A', 'AAAA']) t.equal(readPublicKey(publicKey + more), null)
  const id = keyIdOf('somebody', privateKey).toString('hex')
  t.equal(readPublicKey(`somebody+${id}+${parts(publicKey)[3]}`), null, 'the key of another name')
  t.equal(openNote(signer.sign(text), 'no key'), null)
})
