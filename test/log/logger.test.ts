import { randomBytes } from 'node:crypto'
import { Writable } from 'node:stream'
import t from 'tap'
import { Secret } from '../../src/domain/values/secret.ts'
import { makeLogger } from '../../src/log/logger.ts'

const canary = randomBytes(16).toString('hex')

function logInto(level: string) {
  const lines: string[] = []
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(...String(chunk).trimEnd().split('\n'))
      done()
    }
  })
  return { log: makeLogger(level, destination), lines }
}

t.test('a stream key, an ingest server and an Authorization header are taken out, four levels deep', async t => {
  const { log, lines } = logInto('trace')
  for (const name of ['stream_key', 'ingest_server', 'authorization']) {
    const leaf = { [name]: canary, kept: 'yes' }
    log.info(leaf)
    log.info({ a: leaf })
    log.info({ a: { b: leaf } })
    log.info({ a: { b: { c: leaf } } })
    log.info({ data: [leaf, leaf] })
    log.child({ a: leaf }).info('from a child')
  }
  t.equal(lines.length, 18)
  for (const line of lines) {
    t.notMatch(line, canary)
    t.match(line, '[secret]')
    t.match(line, '"kept":"yes"')
  }
})

t.test('a credential does not print itself, wherever it stands', async t => {
  const { log, lines } = logInto('trace')
  const secret = new Secret(canary)
  log.info({ config: { upstream: { deep: { deeper: { apiKey: secret } } } } }, 'with %s', secret)
  log.error({ err: Object.assign(new Error(`refused ${secret}`), { credential: secret }) })
  t.equal(lines.length, 2)
  t.notMatch(lines.join('\n'), canary)
})

t.test('one JSON line an event, with neither host nor process id, from the level that was asked for', async t => {
  const { log, lines } = logInto('warn')
  log.info('quiet')
  log.warn({ event: 'loud', text: 'two\nlines' }, 'loud')
  t.equal(lines.length, 1)
  const { time, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>
  t.strictSame(rest, { level: 40, event: 'loud', text: 'two\nlines', msg: 'loud' })
  t.type(time, 'number')
})

t.test('a line that names no event is one of the HTTP server, whatever it consists of', async t => {
  const { log, lines } = logInto('info')
  log.info('Server listening')
  log.error(new Error('it broke'))
  log.info({ a: 1 })
  t.strictSame(
    lines.map(line => JSON.parse(line).event),
    ['http_server', 'http_server', 'http_server']
  )
})

t.test('without another destination it writes to standard output, and silent says nothing', async t => {
  const log = makeLogger('silent')
  log.fatal('nobody hears this')
  t.equal(log.level, 'silent')
})
