import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import {
  readStatement,
  readUnproved,
  writeHead,
  writeKeyChange,
  writeLostKey,
  writeRestore
} from '../../../src/audit/proof/statements.ts'
import { newSigner } from '../../support/audit/helper.ts'
import fc from '../../support/runner/properties.ts'

const logs = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 1, maxLength: 32 })
const log = logs.map(name => `livegate.audit/${name}`)
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => Buffer.from(bytes).toString('hex'))
const head = fc.record({ seq: fc.integer({ min: 0, max: 999_999_999_999_999 }), hash }, { noNullPrototype: true })
const timeMs = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) })

t.test('a checkpoint and a cut say what was written: of which log, where, with which hash, when', async t => {
  fc.assert(
    fc.property(fc.constantFrom('checkpoint', 'cut'), log, head, timeMs, (kind, log, head, timeMs) =>
      isDeepStrictEqual(readStatement(writeHead(kind, log, head, timeMs)), { kind, log, timeMs, head })
    )
  )
  t.pass('each was read as it was written')
})

t.test('a change of key says which key came after which', async t => {
  const [before, after] = ['livegate.audit+00000000+before', 'livegate.audit+11111111+after']
  fc.assert(
    fc.property(log, timeMs, (log, timeMs) => {
      const said = readStatement(writeKeyChange(log, before, after, timeMs))
      return isDeepStrictEqual(said, { kind: 'key', log, timeMs, keys: { before, after } })
    })
  )
  t.pass('each was read as it was written')
})

const key = 'livegate.audit+00000000+before'
const names = fc.string({ unit: fc.constantFrom('a', ' ', 'é', '—', ':'), minLength: 1 }).map(name => `x${name}`)

t.test('a lost key and a restore say who did it, where, and what came before', async t => {
  fc.assert(
    fc.property(log, head, names, timeMs, (log, head, by, timeMs) => {
      const keys = { before: key, after: 'livegate.audit+11111111+after' }
      const said = readStatement(writeLostKey(log, { ...keys, head, by }, timeMs))
      return isDeepStrictEqual(said, { kind: 'lost-key', log, timeMs, by, head, keys })
    })
  )
  const newer = fc.record({ log, head, timeMs, publicKey: fc.constantFrom(key, null) }, { noNullPrototype: true })
  const kept = fc.integer({ min: 0, max: 999_999 })
  fc.assert(
    fc.property(log, head, kept, names, fc.option(newer), timeMs, (log, head, keptSeq, by, superseded, timeMs) => {
      const said = readStatement(writeRestore(log, { head, keptSeq, by, superseded }, timeMs))
      return isDeepStrictEqual(said, { kind: 'restore', log, timeMs, by, keptSeq, superseded, head })
    })
  )
  t.pass('each was read as it was written')
})

t.test('a name cannot add a line of its own', async t => {
  const place = { seq: 1, hash: '11'.repeat(32) }
  for (const [i, by] of ['alice\nsuperseded -', 'a\r\nb', 'a\u2028b', '', '\u0000'].entries()) {
    const said = readStatement(
      writeRestore('livegate.audit/ab12', { head: place, keptSeq: 1, by, superseded: null }, 0)
    )
    t.match(said, { keptSeq: 1, superseded: null, by: /^[^\p{C}\p{Zl}\p{Zp}]+$/u }, `name ${i}`)
  }
})

t.test('a lost key, or a restore, that lacks a part is none', async t => {
  const [log, hash] = ['livegate.audit/ab12', '11'.repeat(32)]
  const superseded = { log, head: { seq: 9, hash }, timeMs: 0, publicKey: key }
  const good = [
    writeLostKey(log, { before: key, after: key, head: { seq: 7, hash }, by: 'alice' }, 0),
    writeRestore(log, { head: { seq: 7, hash }, keptSeq: 7, by: 'alice', superseded }, 0)
  ]
  for (const text of good) {
    t.ok(readStatement(text))
    const [origin = '', ...rest] = text.trimEnd().split('\n')
    for (const i of rest.keys()) {
      // The two lines of keys may hold anything.
      if (text === good[0] && i < 2) continue
      const without = rest.filter((_, at) => at !== i)
      const garbled = rest.map((line, at) => (at === i ? line.replace(/ ?[^ ]+$/, '') : line))
      for (const lines of [without, garbled, [...rest, 'more']]) {
        t.equal(readStatement(`${[origin, ...lines].join('\n')}\n`), null, lines.join(' | '))
      }
    }
  }
  for (const part of ['livegate.audit/XY', '1e3', 'ERER', 'yesterday', `${key} more`]) {
    const at = ['livegate.audit/XY', '1e3', 'ERER', 'yesterday', `${key} more`].indexOf(part)
    const lost = good[1]?.replace(/superseded (.*)/, (_, line) => {
      return `superseded ${line
        .split(' ')
        .map((word: string, i: number) => (i === at ? part : word))
        .join(' ')}`
    })
    t.equal(readStatement(lost ?? ''), null, part)
  }
})

t.test('a checkpoint has the lines of a tlog-checkpoint (C2SP): origin, size, hash in base64, then ours', async t => {
  const hash = `${'00'.repeat(31)}ff`
  t.equal(
    writeHead('checkpoint', 'livegate.audit/ab12', { seq: 42, hash }, Date.UTC(2026, 10, 20, 9, 30)),
    'livegate.audit/ab12\n42\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP8=\ntime 2026-11-20T09:30:00.000Z\n'
  )
})

t.test('a text that is no statement is read as none, whatever it is', async t => {
  fc.assert(fc.property(fc.string(), garbage => readStatement(garbage) === null))
  fc.assert(fc.property(fc.array(fc.string()), lines => readStatement(lines.join('\n')) === null))
  const good = writeHead('cut', 'livegate.audit/ab12', { seq: 42, hash: '11'.repeat(32) }, 0)
  const damaged = [
    good.replace('/cut', '/cat'),
    good.replace('/cut', '/cut/cut'),
    good.replace('ab12', 'AB12'),
    good.replace('ab12', ''),
    good.replace('livegate.audit', 'example.com'),
    good.replace('42', '-42'),
    good.replace('42', '4.2'),
    good.replace('42', '4e2'),
    good.replace('42', ''),
    good.replace('42', '1234567890123456'),
    good.replace(/^E.*$/m, 'ERER'),
    good.replace(/^E.*$/m, ''),
    good.replace('time ', ''),
    good.replace(/time .*/, 'time yesterday'),
    `${good}more\n`,
    ` ${good}`
  ]
  for (const text of damaged) {
    t.not(text, good)
    t.equal(readStatement(text), null, JSON.stringify(text))
  }
})

t.test('a note can be read before anybody knows who signed it', async t => {
  const text = writeHead('checkpoint', 'livegate.audit/ab12', { seq: 42, hash: '11'.repeat(32) }, 0)
  t.strictSame(readUnproved(newSigner().sign(text)), readStatement(text))
  fc.assert(fc.property(fc.string(), garbage => readUnproved(garbage) === null))
})
