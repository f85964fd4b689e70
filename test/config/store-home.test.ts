import { join } from 'node:path'
import t from 'tap'
import { ConfigError, type Environment, readStoreConfig } from '../../src/config/config.ts'
import { nameOfHome } from '../../src/domain/store-home.ts'

const homeOf = (url: string, more: Environment = {}) => readStoreConfig({ DATABASE_URL: url, ...more }).home

function problemOf(env: Environment): string {
  try {
    readStoreConfig(env)
    return 'none'
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

t.test('an address of PostgreSQL has all that a connection needs, and shows no password', async t => {
  const home = homeOf('postgresql://live%40gate:p%2Fss%20phrase@db.example:6432/streams')
  t.match(home, {
    host: 'db.example',
    port: 6432,
    database: 'streams',
    user: 'live@gate',
    tls: { ca: null, checksName: true }
  })
  t.equal(home.kind === 'postgres' && home.password?.reveal(), 'p/ss phrase')
  t.equal(nameOfHome(home), 'postgres://db.example:6432/streams')
  t.notMatch(JSON.stringify(home), 'phrase')
  t.match(homeOf('postgres://u@127.0.0.1/x'), { port: 5432, password: null, tls: null }, 'this machine itself')
  t.match(homeOf('postgres://u@[::1]:1/x'), { host: '::1', port: 1, tls: null })
  const bySocket = homeOf('postgres://u@localhost/x?host=/run/postgresql')
  t.match(bySocket, { host: '/run/postgresql', tls: null })
  t.equal(nameOfHome(bySocket), 'postgres:///x')
})

t.test('the way to another machine is encrypted and proved, unless the address says otherwise', async t => {
  const ca = join(t.testdir({ 'ca.pem': 'a certificate' }), 'ca.pem')
  const tlsOf = (query: string) => (homeOf(`postgres://u@db.example/x?${query}`) as { tls?: unknown }).tls
  t.strictSame(tlsOf('sslmode=disable'), null)
  t.strictSame(tlsOf(`sslmode=verify-full&sslrootcert=${ca}`), { ca: 'a certificate', checksName: true })
  t.strictSame(tlsOf(`sslmode=verify-ca&sslrootcert=${ca}`), { ca: 'a certificate', checksName: false })
  const refused = (query: string) => problemOf({ DATABASE_URL: `postgres://u:canary@db.example/x?${query}` })
  for (const mode of ['require', 'prefer', 'allow', 'on'])
    t.equal(refused(`sslmode=${mode}`), 'DATABASE_URL: sslmode must be one of disable, verify-ca, verify-full')
  t.equal(refused('sslrootcert=/no/such/file'), 'DATABASE_URL: sslrootcert cannot be read')
  t.match(refused('options=-csearch_path%3Dx'), /^DATABASE_URL: options is not known/)
})

t.test('an address that is none is refused without a word of what is in it', async t => {
  const wrong = [
    'postgres://u:canary@db.example',
    'postgres://:canary@db.example/x',
    'postgres://u:canary@db.example:99999/x',
    'postgres://u:%canary@db.example/x',
    'postgres://u:canary@db.example/x#y'
  ]
  for (const url of wrong) {
    const problem = problemOf({ DATABASE_URL: url })
    t.match(problem, /^DATABASE_URL must be sqlite:<file>, or postgres:/, url)
    t.notMatch(problem, 'canary')
  }
})

t.test('the address can come from a file, and keys of such a store are never made by the way', async t => {
  const file = join(t.testdir({ url: 'postgres://u:secret@db.example/x\n' }), 'url')
  const config = readStoreConfig({ DATABASE_URL_FILE: file })
  t.match(config.home, { kind: 'postgres', host: 'db.example' })
  t.match(config.auditKeys, { dataDir: /data$/, areMade: false })
  t.match(problemOf({ DATABASE_URL: 'sqlite:x', DATABASE_URL_FILE: file }), /both set/)
})
