import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import t from 'tap'

/** Where somebody may write what must not be written there. */
const violations: [file: string, code: string][] = [
  ['src/domain/x.ts', "import '../store/engine.ts'"],
  ['src/domain/x.ts', "import 'fastify'"],
  ['src/domain/x.ts', "import 'node:fs'"],
  ['src/simulator/x.ts', "import '../domain/id.ts'"],
  ['src/upstream/x.ts', "import '../store/engine.ts'"],
  ['src/store/x.ts', "import '../upstream/dyte.ts'"],
  ['src/audit/x.ts', "import '../store/engine.ts'"],
  ['src/config/x.ts', "import '../store/engine.ts'"],
  ['src/audited-store/x.ts', "import '../gateway.ts'"],
  ['src/audited-store/x.ts', "import '../store/sqlite.ts'"],
  ['src/lifecycle/x.ts', "import '../upstream/client.ts'"],
  ['src/lifecycle/x.ts', "import '../store/sqlite.ts'"],
  ['src/lifecycle/x.ts', "import '../http/errors.ts'"],
  ['src/routes/livestreams/x.ts', "import '../../store/engine.ts'"],
  ['src/routes/x.ts', "import '../upstream/provider.ts'"],
  ['src/http/x.ts', "import '../upstream/provider.ts'"],
  ['src/http/x.ts', "import '../lifecycle/start.ts'"],
  ['src/commands/x.ts', "import 'undici'"],
  ['src/commands/x.ts', "import 'better-sqlite3'"],
  ['src/commands/x.ts', 'export const x = process.env.X'],
  ['test/http/x.ts', "import fc from 'fast-check'"]
]

/** What the rooms may use. */
const allowed: [file: string, code: string][] = [
  ['src/domain/ok.ts', "import 'typebox'\nimport './id.ts'\n"],
  ['src/config/ok.ts', "import './environment.ts'\nimport '../domain/quota.ts'\n"],
  ['src/audited-store/ok.ts', "import '../audit/note.ts'\nimport '../store/engine.ts'\n"],
  ['src/lifecycle/ok.ts', "import '../upstream/provider.ts'\nimport '../store/engine.ts'\n"],
  ['src/upstream/ok.ts', "import 'undici'\nimport '../domain/id.ts'\n"]
]

t.test('imports go down, and only one room knows each driver: the linter refuses the rest', t => {
  const folder = t.testdir()
  cpSync('biome.json', join(folder, 'biome.json'))
  const wrong = violations.map(([file, code], i) => ({ file: file.replace('x.ts', `x${i}.ts`), code }))
  for (const { file, code } of [...wrong, ...allowed.map(([file, code]) => ({ file, code }))]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), code)
  }
  const biome = resolve('node_modules/.bin/biome')
  const { stdout, stderr } = spawnSync(biome, ['lint', '--max-diagnostics=200', '--colors=off'], { cwd: folder })
  const refused = `${stdout}${stderr}`.split('\n').filter(line => /noRestrictedImports|noProcessEnv/.test(line))
  for (const { file, code } of wrong)
    t.ok(
      refused.some(line => line.startsWith(`${file}:`)),
      `${code} in ${file}`
    )
  for (const [file] of allowed)
    t.notOk(
      refused.some(line => line.startsWith(`${file}:`)),
      file
    )
  t.end()
})
