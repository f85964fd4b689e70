import { spawnSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, matchesGlob, resolve } from 'node:path'
import t from 'tap'
import { importsOf, importsOfSrc } from './support/imports.ts'

interface Room {
  /** Other rooms, or single files of them. */
  knows: string[]
  /** Files that it must not know, although a room that it knows has them. */
  except?: string[]
  packages: string[]
}

const typebox = ['typebox', 'typebox/*']
const drivers = ['src/store/engine/sqlite*.ts', 'src/store/postgres/**']
const provider = 'src/upstream/provider.ts'

/** Imports go down: what each room of `src` may use besides itself. Modules of Node are free but for the domain. */
const rooms: Record<string, Room> = {
  domain: { knows: [], packages: [...typebox, 'node:crypto', 'node:zlib'] },
  simulator: { knows: [], packages: [] },
  tracing: { knows: ['src/domain/**'], packages: ['@opentelemetry/*', 'package.json'] },
  metrics: { knows: ['src/domain/**'], packages: ['prom-client', 'package.json'] },
  log: { knows: ['src/domain/**', 'src/tracing/trace.ts'], packages: ['pino', 'pino-pretty'] },
  upstream: {
    knows: ['src/domain/**', 'src/tracing/trace.ts'],
    packages: [...typebox, 'undici', 'structured-headers']
  },
  store: { knows: ['src/domain/**'], packages: ['better-sqlite3', 'kysely', 'lru-cache', 'pg'] },
  audit: { knows: ['src/domain/**'], packages: [] },
  valkey: { knows: ['src/domain/**'], packages: ['iovalkey'] },
  // A vendor says itself which settings its account needs: the configuration asks the table, and nothing of a vendor's folder.
  config: {
    knows: ['src/domain/**', 'src/audit/rollup.ts', 'src/audit/keys/key-files.ts', 'src/upstream/vendors/*.ts'],
    packages: []
  },
  'audited-store': { knows: ['src/domain/**', 'src/audit/**', 'src/store/**'], except: drivers, packages: [] },
  lifecycle: {
    knows: ['src/domain/**', 'src/audit/**', 'src/store/**', 'src/tracing/trac*.ts', provider],
    except: drivers,
    // It signs what is sent to the webhooks of tenants.
    packages: ['lru-cache', 'standardwebhooks']
  },
  http: {
    knows: ['src/domain/**', 'src/audit/**', 'src/store/**', 'src/tracing/trac*.ts'],
    except: [...drivers, 'src/store/store.ts'],
    packages: [...typebox, 'fastify', '@fastify/*', 'helmet', 'lru-cache', 'package.json']
  },
  routes: { knows: ['src/domain/**', 'src/lifecycle/**'], packages: [...typebox, 'fastify'] },
  gateway: {
    knows: [
      'src/{audit,audited-store,config,domain,http,lifecycle,log,metrics,routes,store,tracing,upstream,valkey}/**'
    ],
    packages: ['fastify']
  },
  commands: {
    knows: ['src/**'],
    except: ['src/cli.ts'],
    packages: ['commander', 'csv-stringify/sync', 'fastify', 'package.json']
  }
}

/** The imports of a file that its room forbids. The files in the root of `src` put the rooms together. */
function forbidden(file: string, imports: string[]): string[] {
  const [, room = ''] = file.split('/')
  if (room.endsWith('.ts')) return []
  const { knows, except = [], packages } = rooms[room] ?? { knows: [], packages: [] }
  const among = (name: string, patterns: string[]): boolean => patterns.some(pattern => matchesGlob(name, pattern))
  return imports.filter(name => {
    if (name.startsWith('node:') && room !== 'domain') return false
    if (!name.startsWith('src/')) return !among(name, packages)
    return !name.startsWith(`src/${room}/`) && (!among(name, knows) || among(name, except))
  })
}

t.test('imports go down, and only one room knows each driver', t => {
  const files = importsOfSrc()
  t.ok(files.size > 300, 'all files of src were read')
  for (const [file, imports] of files) {
    const wrong = forbidden(file, imports)
    if (wrong.length > 0) t.fail(`${file} imports ${wrong.join(', ')}`)
  }
  t.end()
})

t.test('a gateway imports nothing but types from node:http, which would bring a fetch and a WebSocket', t => {
  // Neither is loaded by a gateway.
  const others = /^src\/(simulator\/|commands\/process\/ask-gateway\.ts)/
  const files = [...importsOfSrc()].filter(([, imports]) => imports.some(name => /^node:https?$/.test(name)))
  t.ok(files.length > 5)
  for (const [file] of files) {
    if (others.test(file)) continue
    t.notMatch(readFileSync(file, 'utf8'), /^import (?!type )[^\n]*'node:https?'$/m, file)
  }
  t.end()
})

t.test('the options of a test are an object of its own: tap keeps in them what the test does', t => {
  const shared = globSync('test/**/*.ts').flatMap(file => {
    const calls = readFileSync(file, 'utf8').matchAll(/\btest\((?:[^{}]|\$\{[^}]*\})*?, ([a-z]\w*), (?:async )?\(?t\b/g)
    return [...calls].map(([, name]) => `${file}: ${name}`)
  })
  t.strictSame(shared, [])
  t.end()
})

t.test('app.ts is a table of contents: one page, and what each line names is told elsewhere', t => {
  const lines = readFileSync('src/app.ts', 'utf8').split('\n').length - 1
  t.ok(lines <= 120, `${lines} lines`)
  const imports = importsOfSrc().get('src/app.ts') ?? []
  t.ok(imports.length > 0 && imports.length <= 25, `${imports.length} imports`)
  t.end()
})

/** Lines that must not be written in these files. */
const violations: [file: string, code: string][] = [
  ['src/domain/x.ts', "import '../store/engine/engine.ts'"],
  ['src/domain/values/x.ts', "import { x } from 'fastify'"],
  ['src/domain/x.ts', "import 'node:fs'"],
  ['src/simulator/x.ts', "import '../domain/id.ts'"],
  ['src/upstream/quota/x.ts', "import type { Engine } from '../../store/engine/engine.ts'"],
  ['src/store/tables/x.ts', "import '../../upstream/provider.ts'"],
  ['src/audit/x.ts', "import {\n  type Engine\n} from '../store/engine/engine.ts'"],
  ['src/config/x.ts', "import '../store/engine/engine.ts'"],
  ['src/config/x.ts', "import '../upstream/vendors/dyte/settings.ts'"],
  ['src/audited-store/x.ts', "import '../gateway.ts'"],
  ['src/audited-store/x.ts', "import '../store/engine/sqlite.ts'"],
  ['src/audited-store/x.ts', "import '../store/postgres/postgres.ts'"],
  ['src/lifecycle/running/x.ts', "import '../../upstream/transport/client.ts'"],
  ['src/lifecycle/x.ts', "import '../store/engine/sqlite.ts'"],
  ['src/lifecycle/x.ts', "export { x } from '../http/answer/errors.ts'"],
  ['src/routes/livestreams/x.ts', "import '../../store/engine/engine.ts'"],
  ['src/routes/x.ts', "import '../upstream/provider.ts'"],
  ['src/http/x.ts', "const x = await import('../upstream/provider.ts')"],
  ['src/http/request/x.ts', "import '../../lifecycle/broadcast/start.ts'"],
  ['src/commands/x.ts', "import 'undici'"],
  ['src/commands/x.ts', "import 'better-sqlite3'"],
  ['src/new-room/x.ts', "import '../domain/id.ts'"]
]

/** Lines that the rooms may have. */
const allowed: [file: string, code: string][] = [
  ['src/domain/ok.ts', "import 'typebox'\nimport './id.ts'\n"],
  ['src/config/ok.ts', "import './environment.ts'\nimport '../domain/values/quota.ts'\n"],
  ['src/config/ok.ts', "import '../upstream/vendors/vendors.ts'\n"],
  ['src/audited-store/ok.ts', "import '../audit/proof/note.ts'\nimport '../store/engine/engine.ts'\n"],
  ['src/lifecycle/ok.ts', "import '../upstream/provider.ts'\nimport '../store/engine/engine.ts'\n"],
  ['src/upstream/quota/ok.ts', "import 'undici'\nimport '../../domain/id.ts'\nimport '../provider.ts'\n"]
]

t.test('the rule of the rooms finds each kind of import that goes up, and no other', t => {
  for (const [file, code] of violations) t.equal(forbidden(file, importsOf(file, code)).length, 1, `${code} in ${file}`)
  for (const [file, code] of allowed) t.strictSame(forbidden(file, importsOf(file, code)), [], file)
  t.end()
})

/** Lines that the linter refuses. */
const refused: [file: string, code: string][] = [
  ['src/commands/x.ts', 'export const x = process.env.X\n'],
  ['src/http/x.ts', "import 'undici'\n"],
  ['test/http/x.ts', "import fc from 'fast-check'\n\nfc.assert\n"]
]

t.test(
  'the linter refuses variables outside of the configuration, and drivers and fast-check outside of their rooms',
  t => {
    const folder = t.testdir()
    cpSync('biome.json', join(folder, 'biome.json'))
    for (const [file, code] of refused) {
      mkdirSync(dirname(join(folder, file)), { recursive: true })
      writeFileSync(join(folder, file), code)
    }
    const { stdout, stderr } = spawnSync(resolve('node_modules/.bin/biome'), ['lint', '--colors=off'], { cwd: folder })
    const found = `${stdout}${stderr}`.split('\n').filter(line => /noRestrictedImports|noProcessEnv/.test(line))
    for (const [file, code] of refused)
      t.ok(
        found.some(line => line.startsWith(`${file}:`)),
        `${code} in ${file}`
      )
    t.end()
  }
)
