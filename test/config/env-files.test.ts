import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import t from 'tap'
import { type Environment, readConfig, readStoreConfig } from '../../src/config/config.ts'
import { cutByNode } from '../../src/config/env-files.ts'
import { measured, refused, startNode } from '../support/cli.ts'

const key = randomBytes(12).toString('hex')
const account = { DYTE_ORG_ID: 'org-1', DYTE_API_KEY: key }

function problemOf(env: Environment, read?: (path: string) => string): string {
  try {
    readConfig(env, read)
    return 'accepted'
  } catch (error) {
    return (error as Error).message
  }
}

t.test('a value in quotes, as docker hands it on, is refused by name: a secret, a folder, a host', async t => {
  const inQuotes = (name: string) => `${name} stands in quotes, which docker takes for a part of it: write it without`
  for (const quote of ['"', "'", '`']) {
    const env = { ...account, DYTE_API_KEY: quote + key + quote }
    t.equal(problemOf(env), inQuotes('DYTE_API_KEY'), 'once')
    t.equal(problemOf({ ...account, DYTE_API_KEY: quote + key }), inQuotes('DYTE_API_KEY'), 'also the half of them')
    t.equal(problemOf({ ...account, DYTE_API_KEY: key + quote }), inQuotes('DYTE_API_KEY'))
    const byFile = { DYTE_ORG_ID: 'org-1', DYTE_API_KEY_FILE: '/run/key' }
    t.equal(
      problemOf(byFile, () => `${quote}${key}${quote}\n`),
      inQuotes('DYTE_API_KEY')
    )
    t.match(problemOf({ ...account, LIVEGATE_DATA_DIR: `${quote}/x` }), inQuotes('LIVEGATE_DATA_DIR'), 'or the half')
    for (const name of ['LIVEGATE_DATA_DIR', 'HOST', 'LIVEGATE_AUDIT_SIGNING_KEY_FILE', 'DYTE_API_KEY_FILE']) {
      t.match(problemOf({ ...account, [name]: `${quote}/x y${quote}` }), inQuotes(name), name)
      t.match(problemOf({ ...account, [name]: quote + quote }), inQuotes(name), `${name}, empty`)
    }
  }
  t.throws(() => readStoreConfig({ LIVEGATE_DATA_DIR: '"/data"' }), { message: inQuotes('LIVEGATE_DATA_DIR') })
  t.equal(problemOf({ ...account, PS1: '"$ "' }), 'accepted', 'what is not ours may have them')
})

t.test('a value that Node cuts at a # in its file is found, and one that it reads whole is not', async t => {
  const text = [
    `DYTE_API_KEY=${key}#rest`,
    'export DYTE_ORG_ID = org#1 # and a comment',
    'HOST=127.0.0.1 # a comment',
    'PORT=3000',
    '# LOG_LEVEL=a#b',
    'LIVEGATE_DATA_DIR="/srv/a#b"',
    'DATABASE_URL=sqlite:/srv/#/db\r',
    'LIVEGATE_DOCS=#off',
    'OTHER=a#b',
    'LOG_LEVEL= # none'
  ].join('\n')
  const file = join(t.testdir({ '.env': text }), '.env')
  const env = parseEnv(text)
  const names = (execArgv: string[], given: Environment = env) => cutByNode(given, execArgv).map(({ name }) => name)
  const cut = ['DYTE_API_KEY', 'DYTE_ORG_ID', 'DATABASE_URL', 'LIVEGATE_DOCS', 'OTHER']
  for (const args of [[`--env-file=${file}`], ['--env-file', file], [`--env-file-if-exists=${file}`]])
    t.strictSame(names(['--no-warnings', ...args]), cut, args.join(' '))
  t.strictSame(cutByNode(env, [`--env-file=${file}`])[0], { name: 'DYTE_API_KEY', file, at: '#' })
  t.strictSame(names([]), [])
  t.strictSame(names(['--env-file']), [])
  t.strictSame(names([`--env-file=${file}.none`]), [])
  const others = { DYTE_API_KEY: `${key}#rest`, DYTE_ORG_ID: 'x', DATABASE_URL: 'y', LIVEGATE_DOCS: 'off', OTHER: '' }
  t.strictSame(names([`--env-file=${file}`], { ...env, ...others }), [], 'what the environment had before counts')
})

t.test(
  'text that Node leaves out behind a closing quote is found, and so are lines that it takes for the value',
  async t => {
    const text = [
      `DYTE_API_KEY="${key}"1234`,
      "export DYTE_ORG_ID = 'org'#1",
      'HOST="127.0.0.1" # a comment',
      "LOG_LEVEL='info'  \r",
      'LIVEGATE_DOCS="off"',
      'NO_PROXY="a,',
      'b"',
      'OTHER="x\\n"y',
      'DATABASE_URL="a"b',
      'DATABASE_URL=sqlite:/srv/db',
      'LIVEGATE_DATA_DIR="/srv/a',
      'PORT="'
    ].join('\n')
    const file = join(t.testdir({ '.env': text }), '.env')
    const cuts = cutByNode(parseEnv(text), [`--env-file=${file}`])
    t.strictSame(
      cuts.map(({ name, at }) => [name, at]),
      ['DYTE_API_KEY', 'DYTE_ORG_ID', 'OTHER', 'LIVEGATE_DATA_DIR'].map(name => [name, 'quote'])
    )
    const run = startNode(t, [`--env-file=${file}`, 'src/cli.ts', 'tenant', 'list'], measured)
    const said = refused(await run.ended)
    t.match(
      said,
      `DYTE_API_KEY begins with a quote in ${file} that ends within its line, or lines later: give it by file`
    )
    t.match(
      said,
      `LIVEGATE_DATA_DIR begins with a quote in ${file} that ends within its line, or lines later: write it`
    )
  }
)

t.test('a pipe, which Node has read already, is not waited for', async t => {
  const pipe = join(t.testdir(), 'pipe')
  spawnSync('mkfifo', [pipe])
  t.strictSame(cutByNode({}, [`--env-file=${pipe}`]), [])
})

t.test('a file that begins with a mark, which Node takes for a part of the first name, is refused', async t => {
  for (const line of ['PORT=1', 'export LIVEGATE_DATA_DIR=/x', 'SOMETHING=else']) {
    const env = { ...account, ...parseEnv(`\uFEFF${line}\nHOST=::1`) }
    const [name] = line.split('=')
    t.equal(problemOf(env), `${name}: the file begins with a mark: save it as UTF-8 without BOM`)
  }
})

t.test(
  'the command line with such a file says which variable, which file and what to do, without the value',
  async t => {
    const file = join(
      t.testdir({ '.env': `LIVEGATE_DATA_DIR=/srv/a#b\nDYTE_API_KEY=${key}#x\nDYTE_ORG_ID=o # ours\n` }),
      '.env'
    )
    const run = startNode(t, [`--env-file=${file}`, 'src/cli.ts', 'tenant', 'list'], measured)
    const { code, ...said } = await run.ended
    t.equal(code, 1)
    t.equal(
      refused(said),
      `LIVEGATE_DATA_DIR is cut at a # in ${file}, where Node sees a comment and docker none: write it without a #; DYTE_API_KEY is cut at a # in ${file}, where Node sees a comment and docker none: give it by file (DYTE_API_KEY_FILE)`
    )
  }
)

t.test('each line of .env.example means the same to both readers', async t => {
  const text = readFileSync('.env.example', 'utf8')
  const byDocker = text
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])
  t.strictSame(Object.fromEntries(byDocker), { ...parseEnv(text) })
})
