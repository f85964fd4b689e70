import { globSync, readFileSync } from 'node:fs'
import t from 'tap'
import { variables } from '../src/config/config.ts'

interface Documented {
  description?: string
}

const read = (file: string): string => readFileSync(file, 'utf8')
const readme = read('README.md')

t.test('.env.example has a line for each variable that Livegate knows, and no other', async t => {
  const listed = [...read('.env.example').matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name)
  t.strictSame(listed.sort(), [...variables].sort())
})

t.test('the page on configuration has a row for each variable, and for no other', async t => {
  const names = [...read('docs/configuration.md').matchAll(/^\| (`[A-Z_]+`.*?) \|/gm)].flatMap(([, cell = '']) => [
    ...cell.matchAll(/`([A-Z_]+)`/g)
  ])
  t.strictSame(names.map(([, name]) => name).sort(), [...variables].sort())
})

t.test('the page on the API has a row for each operation, with its scope', async t => {
  const { paths } = JSON.parse(read('openapi/livegate.json')) as { paths: Record<string, Record<string, Documented>> }
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { description = '' }]) => {
      const [, scope = 'none'] = /Needs the scope (`[^`]+`)/.exec(description) ?? []
      return `${method.toUpperCase()} ${path} ${scope}`
    })
  )
  const rows = [...read('docs/api.md').matchAll(/^\| `([A-Z]+ \/[^`]+)` \| .* \| (\S+) \|$/gm)]
  t.strictSame(rows.map(([, operation, scope]) => `${operation} ${scope}`).sort(), operations.sort())
})

t.test('the scripts that the documents name exist', async t => {
  const { scripts } = JSON.parse(read('package.json'))
  const named = globSync(['*.md', 'docs/**/*.md']).flatMap(file => [
    ...read(file).matchAll(/npm run (?:-s )?([a-z:]+)/g)
  ])
  t.ok(named.length > 10)
  for (const [line, script] of named) t.hasProp(scripts, script ?? '', line)
})

t.test('the page on packages tells why each one is here', async t => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read('package.json'))
  const told = read('docs/packages.md').replaceAll(', -', ', @fastify/')
  for (const name of Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
    if (!name.startsWith('@types/')) t.match(told, name)
  }
})

t.test('the README is one page that says how to try Livegate, and leads to every other page', async t => {
  t.ok(readme.split('\n').length <= 110, 'it fits on a page')
  for (const command of ['npm ci && npm run demo', 'npm ci && npm test'])
    t.match(readme, `\`\`\`sh\n${command}\n\`\`\``)
  t.equal([...readme.matchAll(/^curl .*\$MEETING|^curl .*livestreams$/gm)].length, 4, 'the four calls')
  for (const file of globSync(['docs/*.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md']))
    t.match(readme, `](${file})`, file)
})

t.test('no licence is given that the owner has not chosen', async t => {
  t.equal(JSON.parse(read('package.json')).license, 'UNLICENSED')
  t.match(readme, /The owner has not chosen a licence yet/)
})

t.test('the lock file works behind any mirror: integrity for each package, no download address', async t => {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, { integrity?: string }> }
  const installed = Object.entries(packages).filter(([path]) => path !== '')
  t.notMatch(read('package-lock.json'), '"resolved"')
  t.strictSame(
    installed.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')).map(([path]) => path),
    []
  )
})

t.test('the glossary defines each word once', async t => {
  const words = [...read('docs/glossary.md').matchAll(/^\| (\*\*.*?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/\*\*(.+?)\*\*/g)].map(([, word]) => word)
  )
  t.ok(words.length >= 25)
  t.strictSame(words, [...new Set(words)])
})
