import t from 'tap'
import { path } from '../../../src/upstream/contract/contract.ts'
import fc, { anyText, runs } from '../../support/runner/properties.ts'

const build = (id: string): string => path`/meetings/${id}/active-livestream`

/** The forms of an id in a path: the template around exactly one segment of unreserved or escaped characters. */
const template = /^\/meetings\/((?:[A-Za-z0-9\-_.!~*'()]|%[0-9A-F]{2})+)\/active-livestream$/

function isOneSegment(id: string, built: string): boolean {
  const segment = template.exec(built)?.[1] ?? ''
  // A URL parser collapses dot segments and reads backslashes as slashes: it must find nothing to change.
  const parsed = new URL(`http://vendor.example${built}`)
  return decodeURIComponent(segment) === id && parsed.pathname === built && parsed.search === '' && parsed.hash === ''
}

t.test('an id becomes one segment of the path as it is', async t => {
  const id = '7f0d3c52-1a54-4f5e-9c0e-3b6a5d6b7a01'
  t.equal(build(id), `/meetings/${id}/active-livestream`)
  t.equal(path`/meetings`, '/meetings')
  t.equal(path`/a/${'b'}/c/${'d e'}`, '/a/b/c/d%20e')
})

t.test('a value that would vanish or climb is refused', async t => {
  for (const id of ['', '.', '..']) t.throws(() => build(id), TypeError, JSON.stringify(id))
  t.throws(() => path`/a/${'b'}/c/${'..'}`, TypeError, 'also as the last value')
})

t.test('a hostile id stays inside its segment', async t => {
  const hostile = [
    '/',
    '//',
    '../livestreams',
    '..%2flivestreams',
    '%2e%2e',
    '%252e%252e',
    '.%2e',
    '...',
    '..\\',
    '\\..\\livestreams',
    'a/../../livestreams',
    'a?page_no=1',
    'a#b',
    'a;b=c',
    'a%00',
    '\0',
    'a\r\nHost: evil.example',
    '\t',
    ' ',
    'http://evil.example/',
    '//evil.example/',
    '@evil.example',
    ':80',
    '%',
    '%zz',
    '\u2025',
    '\uff0e\uff0e',
    '\u2215',
    '\u202e',
    '\u{1f600}',
    'a'.repeat(10_000)
  ]
  for (const id of hostile) t.ok(isOneSegment(id, build(id)), JSON.stringify(id.slice(0, 40)))
})

t.test('half of a character can not be sent and is refused', async t => {
  t.throws(() => build('\ud800'), URIError)
})

t.test('any string either throws or becomes exactly one segment', async t => {
  const nasty = fc.stringMatching(/^[./\\%2eEfF5cC?#;:@\0\r\n\t a\ud800\uff0e]{0,12}$/)
  const anything = fc.oneof(nasty, anyText(), fc.string({ unit: 'grapheme' }))
  fc.assert(
    fc.property(anything, id => {
      let built: string
      try {
        built = build(id)
      } catch (error) {
        return error instanceof TypeError ? /^\.{0,2}$/.test(id) : !id.isWellFormed() && error instanceof URIError
      }
      return isOneSegment(id, built)
    }),
    { numRuns: runs(20_000) }
  )
  t.pass('whatever the string')
})
