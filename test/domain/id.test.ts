import { randomUUID } from 'node:crypto'
import t from 'tap'
import { isVendorId } from '../../src/domain/id.ts'
import { isTenantId } from '../../src/domain/tenant.ts'
import fc, { anyText } from '../support/runner/properties.ts'

t.test('an id of the vendor is a UUID or plain letters, digits, hyphens and underscores', async t => {
  for (const id of [randomUUID(), 'a', '0', 'A-b_9', 'x'.repeat(64)]) t.ok(isVendorId(id), id)
})

t.test('an id that could leave its path segment is none', async t => {
  for (const id of [
    '',
    '.',
    '..',
    'a.b',
    'a/b',
    '/',
    '%2e%2e',
    'a%2Fb',
    'a\\b',
    'a\0',
    'a\r\n',
    'a\n',
    ' a',
    'a ',
    'a?b',
    'a#b',
    'a:b',
    '-a',
    '_a',
    'ä',
    '…',
    'x'.repeat(65)
  ]) {
    t.notOk(isVendorId(id), JSON.stringify(id))
  }
})

t.test('an id stays the same one segment in an address, whatever it is', async t => {
  fc.assert(
    fc.property(fc.oneof(anyText(), fc.string(), fc.stringMatching(/^[\w-]{1,70}$/)), text => {
      if (!isVendorId(text)) return true
      return new URL(`http://vendor.example/m/${text}/live`).pathname === `/m/${text}/live`
    })
  )
  t.pass('no id changed the path')
})

t.test('a tenant is named by lower-case words and digits, joined by single hyphens', async t => {
  for (const id of ['acme', 'a', '7', 'acme-tv-2', 'a'.repeat(63)]) t.ok(isTenantId(id), id)
  for (const id of [
    '',
    'Acme',
    'acme_tv',
    '-acme',
    'acme-',
    'acme--tv',
    'acme tv',
    'acme:x',
    'acme\n',
    'ä',
    'a'.repeat(64)
  ]) {
    t.notOk(isTenantId(id), JSON.stringify(id))
  }
})
