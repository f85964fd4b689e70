import { createHash } from 'node:crypto'
import t from 'tap'
import { type ApiKey, digestKey, keyIdPattern, makeKey, parseKey } from '../../src/domain/api-key.ts'
import { keyRefusal } from '../../src/domain/caller.ts'
import fc, { anyText, runs } from '../support/runner/properties.ts'

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

t.test('a key is lgk_, 12 characters of id, 43 of secret and 6 of checksum, all of them base62', async t => {
  const { id, key } = makeKey()
  t.match(key.reveal(), /^lgk_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$/)
  t.match(id, keyIdPattern)
  t.strictSame(parseKey(key.reveal()), { id })
  t.equal(key.reveal().slice(4, 16), id)
})

t.test('the secret part carries 256 random bits, more than anybody can try', async t => {
  t.ok(62n ** 43n > 2n ** 256n)
})

t.test('every character of the alphabet occurs, and none much oftener than another', async t => {
  const counts = new Map<string, number>()
  for (let i = 0; i < 400; i++) {
    // The id and the secret; the checksum isn't random.
    for (const letter of makeKey().key.reveal().slice(4, -6).replace('_', '')) {
      counts.set(letter, (counts.get(letter) ?? 0) + 1)
    }
  }
  // 22,000 draws: 355 of each expected, with a deviation of 19. Eight deviations don't happen by chance.
  t.strictSame([...counts.keys()].sort(), [...base62].sort())
  t.ok(Math.min(...counts.values()) > 355 - 8 * 19)
  t.ok(Math.max(...counts.values()) < 355 + 8 * 19)
})

t.test('no two of a thousand keys share an id, a text or a digest', async t => {
  const keys = Array.from({ length: 1_000 }, () => makeKey())
  t.equal(new Set(keys.map(({ id }) => id)).size, 1_000)
  t.equal(new Set(keys.map(({ key }) => key.reveal())).size, 1_000)
  t.equal(new Set(keys.map(({ digest }) => digest)).size, 1_000)
})

t.test('the checksum catches every change of a single character', async t => {
  const text = makeKey().key.reveal()
  const accepted: string[] = []
  for (let at = 0; at < text.length; at++) {
    for (const letter of `${base62}_- `) {
      const changed = text.slice(0, at) + letter + text.slice(at + 1)
      if (changed !== text && parseKey(changed) !== null) accepted.push(changed)
    }
  }
  t.strictSame(accepted, [])
})

t.test('the checksum catches two neighbours that were swapped, and a character lost or doubled', async t => {
  const text = makeKey().key.reveal()
  const accepted: string[] = []
  for (let at = 0; at < text.length; at++) {
    const swapped = text.slice(0, at) + (text[at + 1] ?? '') + text[at] + text.slice(at + 2)
    const lost = text.slice(0, at) + text.slice(at + 1)
    const doubled = text.slice(0, at + 1) + text.slice(at)
    for (const changed of [swapped, lost, doubled]) {
      if (changed !== text && parseKey(changed) !== null) accepted.push(changed)
    }
  }
  t.strictSame(accepted, [])
})

t.test('text that is no key is refused, whatever it is, and never throws', async t => {
  const { key } = makeKey()
  for (const text of [
    '',
    'lgk_',
    ` ${key.reveal()}`,
    `${key.reveal()}\n`,
    `${key.reveal()} `,
    key.reveal().toLowerCase()
  ]) {
    t.equal(parseKey(text), null)
  }
  fc.assert(fc.property(fc.oneof(fc.string(), anyText()), text => parseKey(text) === null))
  fc.assert(
    fc.property(fc.stringMatching(/^lgk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/), text => parseKey(text) === null),
    { numRuns: runs(200) }
  )
  t.pass('nothing was taken for a key')
})

t.test('a key is kept as the SHA-256 of its whole text in hex', async t => {
  const { key, digest } = makeKey()
  t.equal(digest, createHash('sha256').update(key.reveal()).digest('hex'))
  t.equal(digestKey(key.reveal()), digest)
  t.match(digest, /^[0-9a-f]{64}$/)
})

t.test('a key may be used until the moment it expires, and never after it was revoked', async t => {
  const { id, digest } = makeKey()
  const now = 1_800_000_000_000
  const key: ApiKey = {
    id,
    tenantId: 'acme',
    name: 'studio',
    scopes: [],
    digest,
    createdAtMs: now - 1_000,
    expiresAtMs: null,
    revokedAtMs: null,
    predecessorId: null
  }
  const typeOf = (times: Partial<ApiKey>) => keyRefusal({ ...key, ...times }, now)?.type ?? null
  t.equal(typeOf({}), null)
  t.equal(typeOf({ expiresAtMs: now + 1 }), null)
  t.equal(typeOf({ expiresAtMs: now }), 'key_expired')
  t.equal(typeOf({ expiresAtMs: now - 1 }), 'key_expired')
  t.equal(typeOf({ revokedAtMs: now }), 'key_revoked')
  t.equal(typeOf({ expiresAtMs: now - 1, revokedAtMs: now - 1 }), 'key_revoked')
  t.equal(keyRefusal(null, now)?.type, 'unauthorized')
})
