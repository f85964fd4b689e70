import { randomBytes } from 'node:crypto'
import { Writable } from 'node:stream'
import { format, inspect } from 'node:util'
import { serialize } from 'node:v8'
import { pino } from 'pino'
import t from 'tap'
import { Secret } from '../../src/domain/values/secret.ts'

const value = randomBytes(16).toString('hex')
const secret = new Secret(value)

t.test('reveal gives the credential', async t => {
  t.equal(secret.reveal(), value)
})

t.test('templates, concatenation and joined lists show [secret]', async t => {
  t.equal(`${secret}`, '[secret]')
  t.equal(`Basic ${secret}`, 'Basic [secret]')
  t.equal(String(secret), '[secret]')
  t.equal([secret, secret].join(), '[secret],[secret]')
  t.equal(new Error(`refused: ${secret}`).message, 'refused: [secret]')
})

t.test('JSON shows [secret], however deep', async t => {
  t.equal(JSON.stringify(secret), '"[secret]"')
  t.equal(JSON.stringify({ upstream: { keys: [secret] } }), '{"upstream":{"keys":["[secret]"]}}')
})

t.test('inspect and console formats show [secret], with every option that reveals more', async t => {
  t.equal(inspect(secret), '[secret]')
  const everything = { showHidden: true, depth: null, getters: true, showProxy: true }
  t.notMatch(inspect({ a: { b: { c: [secret] } } }, everything), value)
  t.notMatch(inspect(new Map([[secret, secret]]), everything), value)
  for (const directive of ['%s', '%o', '%O', '%j']) t.notMatch(format(directive, secret), value, directive)
})

t.test('walking over its properties, copying and serializing it finds nothing', async t => {
  t.strictSame(Reflect.ownKeys(secret), [])
  t.strictSame({ ...secret }, {})
  t.notMatch(serialize(secret).toString('latin1'), value)
  t.notMatch(JSON.stringify(structuredClone(secret)), value)
})

t.test('a logger prints [secret], bare, nested and inside an error', async t => {
  let printed = ''
  const destination = new Writable({
    write(chunk, _encoding, done) {
      printed += chunk
      done()
    }
  })
  const log = pino({ level: 'trace' }, destination)
  log.info(secret)
  log.info({ secret, config: { upstream: { apiKey: secret } } }, 'started with %s and %o', secret, secret)
  log.error(Object.assign(new Error('refused', { cause: secret }), { secret }))
  t.equal(printed.trimEnd().split('\n').length, 3)
  t.match(printed, '"apiKey":"[secret]"')
  t.notMatch(printed, value)
})
