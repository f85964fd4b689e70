import { parseItem, serializeItem } from 'structured-headers'
import t from 'tap'
import { presets } from '../../../src/domain/scope.ts'
import { parseIdempotencyKey } from '../../../src/http/request/idempotency.ts'
import { plenty } from '../../support/config.ts'
import { gateway } from '../../support/gateway.ts'
import { isEnvelope, rawSocket } from '../../support/http/helper.ts'
import { mutationsSent } from '../../support/http/mutating.ts'
import fc, { runs } from '../../support/runner/properties.ts'

const { asAcme, asGlobex, withKey, simulator, url } = await gateway(t, { config: { writeLimit: plenty } })
const { key } = await withKey('acme', presets.owner)
const create = (field: string) => asAcme('POST', '/v2/meetings', {}, { 'idempotency-key': field })

/** As a client that obeys RFC 9651 writes it; by a serializer that is not ours. */
const quoted = (text: string): string => serializeItem(text)
const printable = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map(c => String.fromCharCode(c)) })
const anyKey = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map(c => String.fromCharCode(c)),
  minLength: 1,
  maxLength: 255
})

t.test('a key in quotes and the same key bare are one key, for every form that clients send', async t => {
  for (const bare of ['8e03978e-40d5-43e8-bc93-6894a57f9324', 'a', '0', 'x_y.z~1', 'k:1/2', 'YWJj+Zw==', '*']) {
    const first = await create(quoted(bare))
    t.equal(first.statusCode, 201, bare)
    const second = await create(bare)
    t.equal(second.headers['idempotency-replayed'], 'true', bare)
    t.equal(second.body, first.body, bare)
  }
  const upper = await create('"A"')
  t.equal(upper.headers['idempotency-replayed'], undefined, 'capitals are another key')
})

t.test('an escaped quote or backslash in quotes means itself', async t => {
  const first = await create(String.raw`"say \"yes\" \\ no"`)
  t.equal(first.statusCode, 201)
  t.equal((await create(String.raw`"say \"yes\" \\ no"`)).headers['idempotency-replayed'], 'true')
  const others = [String.raw`"say \"yes\" no"`, '"say yes  no"', String.raw`"say \"yes\" \\\\ no"`]
  for (const other of others) t.equal((await create(other)).headers['idempotency-replayed'], undefined, other)
})

t.test('a field that is no key is a 400 that names the header field, and nothing is sent', async t => {
  const before = mutationsSent(simulator)
  const bad = ['', '""', '"', '"a', 'a"', '"a"b"', 'a b', 'a,b', '"a", "b"', 'a;b', '"a";b=1', '(a)', '"a\\"', '"\\a"']
  bad.push("'a'", '`a`', '{}', '"\t"', 'a\tb', '"é"', 'é', '"\u00ff"', `"${'a'.repeat(256)}"`, 'a'.repeat(256))
  bad.push(quoted('"'.repeat(256)))
  for (const field of bad) {
    const reply = await create(field)
    t.ok(isEnvelope(reply, 400, 'invalid_input'), JSON.stringify(field))
    t.match(reply.json().error.details, [{ field: 'header.idempotency-key', message: String }], JSON.stringify(field))
  }
  t.equal(mutationsSent(simulator), before)
})

t.test('255 characters are a key, however many of them are escaped', async t => {
  for (const field of ['a'.repeat(255), quoted('b'.repeat(255)), quoted('\\'.repeat(255))]) {
    t.equal((await create(field)).statusCode, 201)
    t.equal((await create(field)).headers['idempotency-replayed'], 'true')
  }
})

t.test('two header fields are no key, not even when their halves would make one', async t => {
  const before = mutationsSent(simulator)
  const pairs = [
    ['"a"', '"b"'],
    ['"a"', '"a"'],
    ['a', 'a'],
    ['"a', 'b"'],
    ['a', ''],
    ['', '']
  ]
  for (const fields of pairs) {
    const reply = await raw('POST', fields)
    t.ok(isEnvelope(reply, 400, 'invalid_input'), fields.join())
    t.equal(reply.json().error.details?.[0]?.field, 'header.idempotency-key', fields.join())
  }
  t.equal(mutationsSent(simulator), before)
})

t.test('control characters are refused before anything is sent', async t => {
  const before = mutationsSent(simulator)
  for (const byte of ['\u0000', '\u0001', '\u0008', '\u000b', '\u001b', '\u001f', '\u007f']) {
    t.ok(isEnvelope(await raw('POST', [`"a${byte}b"`]), 400, 'invalid_input'), JSON.stringify(byte))
  }
  t.equal(mutationsSent(simulator), before)
})

t.test('with a call that changes nothing the header field is a 400, and the vendor is not asked', async t => {
  const before = simulator.journal.length
  for (const path of ['/v2/livestreams', '/v2/meetings', '/gateway/audit-events']) {
    const reply = await asAcme('GET', path, undefined, { 'idempotency-key': 'a' })
    t.ok(isEnvelope(reply, 400, 'invalid_input'), path)
    t.equal(reply.json().error.details[0].field, 'header.idempotency-key', path)
    t.equal((await asAcme('HEAD', path, undefined, { 'idempotency-key': 'a' })).statusCode, 400, path)
  }
  t.equal(simulator.journal.length, before)
})

t.test('any printable text is a key in quotes, and is read as it was meant', async t => {
  const property = fc.property(anyKey, text => parseIdempotencyKey(quoted(text)) === text)
  t.doesNotThrow(() => fc.assert(property, { numRuns: runs(1_000) }))
})

t.test('exactly the strings of RFC 9651 are keys, of all text that begins with a quote', async t => {
  // Mostly quotes and backslashes, since these decide.
  const piece = fc.oneof(fc.constantFrom('"', '\\', '\\\\', '\\"', '"a"'), printable)
  const text = fc.array(piece, { maxLength: 6 }).map(pieces => `"${pieces.join('')}`.trimEnd())
  const property = fc.property(text, text => parseIdempotencyKey(text) === byTheStandard(text))
  t.doesNotThrow(() => fc.assert(property, { numRuns: runs(2_000) }))
})

t.test('over the wire any printable text has its first answer again, and only the same text has', async t => {
  // A tenant that has used no key yet.
  const create = (text: string) => asGlobex('POST', '/v2/meetings', {}, { 'idempotency-key': quoted(text) })
  const seen = new Set<string>()
  const property = fc.asyncProperty(anyKey, async text => {
    const isNew = !seen.has(text)
    seen.add(text)
    const first = await create(text)
    const second = await create(text)
    t.equal(first.headers['idempotency-replayed'], isNew ? undefined : 'true', text)
    t.equal(second.headers['idempotency-replayed'], 'true', text)
    t.equal(second.body, first.body, text)
  })
  await t.resolves(fc.assert(property, { numRuns: 100 }))
})

/** The key according to another parser; null when it is none, carries parameters, or is of no allowed length. */
function byTheStandard(text: string): string | null {
  try {
    const [value, parameters] = parseItem(text)
    const fits = typeof value === 'string' && parameters.size === 0 && value.length >= 1 && value.length <= 255
    return fits ? value : null
  } catch {
    return null
  }
}

/** Header fields as no client would send them. */
async function raw(method: string, fields: string[]) {
  const socket = await rawSocket(url)
  const lines = fields.map(field => `Idempotency-Key: ${field}\r\n`).join('')
  socket.write(
    `${method} /v2/meetings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n${lines}Content-Length: 0\r\n\r\n`
  )
  const reply = await socket.answer()
  socket.destroy()
  return reply
}
