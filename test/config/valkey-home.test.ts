import { inspect } from 'node:util'
import t from 'tap'
import { type Environment, readConfig } from '../../src/config/config.ts'
import { nameOfValkey, type ValkeyHome } from '../../src/domain/valkey-home.ts'

const needed = { DYTE_ORG_ID: 'org-1', DYTE_API_KEY: 'k1' }

function homeOf(env: Environment, readFile?: () => string): ValkeyHome {
  return readConfig({ ...needed, ...env }, readFile).valkey as ValkeyHome
}

t.test('an address of Valkey has all that a connection needs, and shows no password', async t => {
  const home = homeOf({ VALKEY_URL: 'rediss://live%40gate:p%2Fss%20phrase@valkey.example:6390/3' })
  t.match(home, {
    kind: 'server',
    nodes: [{ host: 'valkey.example', port: 6390 }],
    user: 'live@gate',
    database: 3,
    isTls: true
  })
  t.equal(home.password?.reveal(), 'p/ss phrase')
  t.equal(nameOfValkey(home), 'valkey.example:6390')
  t.notMatch(JSON.stringify(home) + inspect(home, { depth: null, showHidden: true }), 'phrase')
  t.match(homeOf({ VALKEY_URL: 'valkey://:pw@[::1]' }), { nodes: [{ host: '::1', port: 6379 }], user: null })
  const byFile = homeOf({ VALKEY_URL_FILE: '/run/valkey' }, () => 'redis://127.0.0.1:7000\n')
  t.match(byFile, { nodes: [{ host: '127.0.0.1', port: 7000 }], password: null, database: 0, isTls: false })
})

t.test('an address may name Sentinels with their primary, or nodes of a cluster', async t => {
  const sentinels = homeOf({ VALKEY_URL: 'redis+sentinel://:pw@s1.example,s2.example:26380/live' })
  t.match(sentinels, { kind: 'sentinels', primary: 'live', nodes: [{ port: 26_379 }, { port: 26_380 }] })
  t.equal(nameOfValkey(sentinels), 's1.example:26379,s2.example:26380/live')
  const cluster = homeOf({ VALKEY_URL: 'rediss+cluster://n1.example,n2.example:7001' })
  t.match(cluster, { kind: 'cluster', isTls: true, nodes: [{ port: 6_379 }, { port: 7_001 }] })
})
