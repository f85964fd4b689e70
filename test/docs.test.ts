import { readFileSync } from 'node:fs'
import t from 'tap'
import { variables } from '../src/config/config.ts'

const read = (file: string): string => readFileSync(file, 'utf8')
const readme = read('README.md')

t.test('.env.example has a line for each variable that Livegate knows, and no other', async t => {
  const listed = [...read('.env.example').matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name)
  t.strictSame(listed.sort(), [...variables].sort())
})

t.test('the README explains each variable', async t => {
  for (const name of variables) t.match(readme, `\`${name}\``)
})

t.test('the scripts that the documents name exist', async t => {
  const { scripts } = JSON.parse(read('package.json'))
  const named = [readme, read('SECURITY.md')].flatMap(text => [...text.matchAll(/npm run (?:-s )?([a-z:]+)/g)])
  t.ok(named.length > 3)
  for (const [line, script] of named) t.hasProp(scripts, script ?? '', line)
})

t.test('the README tells why each package is here', async t => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read('package.json'))
  const told = readme.slice(readme.indexOf('## Packages')).replaceAll(', -', ', @fastify/')
  for (const name of Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
    if (!name.startsWith('@types/') && name !== 'typescript-7') t.match(told, name)
  }
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
