import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t from 'tap'
import { ConfigError, type Environment, readConfig, variables } from '../../src/config/config.ts'
import { basic } from '../support/account.ts'

const org = `org-${randomBytes(4).toString('hex')}`
const key = randomBytes(16).toString('hex')

function problemOf(env: Environment, readFile?: (path: string) => string): string {
  try {
    readConfig(env, readFile)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'accepted'
}

t.test('a secret can come from a file, with white space around it', async t => {
  const folder = t.testdir({ org: `${org}\n`, key: `  ${key}\r\n` })
  const files = { DYTE_ORG_ID_FILE: join(folder, 'org'), DYTE_API_KEY_FILE: join(folder, 'key') }
  const [upstream] = readConfig(files).upstreams
  t.strictSame(
    upstream?.credentials.map(one => one.reveal()),
    [basic(org, key).reveal()]
  )
})

t.test('an empty NAME_FILE is an unset one', async t => {
  t.equal(problemOf({ DYTE_ORG_ID: org, DYTE_API_KEY: key, DYTE_API_KEY_FILE: '' }), 'accepted')
})

t.test('a secret that is given in both ways is refused: nobody could say which one counts', async t => {
  const file = join(t.testdir({ key }), 'key')
  const problem = problemOf({ DYTE_ORG_ID: org, DYTE_API_KEY: key, DYTE_API_KEY_FILE: file })
  t.equal(problem, 'DYTE_API_KEY and DYTE_API_KEY_FILE are both set')
})

t.test('a file that is not there, is a folder or may not be read is refused', async t => {
  const folder = t.testdir({ folder: {} })
  for (const name of ['missing', 'folder']) {
    const problem = problemOf({ DYTE_ORG_ID: org, DYTE_API_KEY_FILE: join(folder, name) })
    t.equal(problem, 'DYTE_API_KEY_FILE cannot be read')
  }
  const refuse = () => {
    throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
  }
  t.equal(problemOf({ DYTE_ORG_ID: org, DYTE_API_KEY_FILE: '/run/key' }, refuse), 'DYTE_API_KEY_FILE cannot be read')
})

t.test('an empty file is a missing secret', async t => {
  const file = join(t.testdir({ key: ' \n' }), 'key')
  t.equal(problemOf({ DYTE_ORG_ID: org, DYTE_API_KEY_FILE: file }), 'DYTE_API_KEY is missing')
})

t.test('a placeholder that nobody has replaced is refused, from the variable and from the file', async t => {
  for (const text of [
    '<your-api-key>',
    '[key]',
    'xxx',
    'XXXXXXXX',
    '...',
    'changeme',
    'CHANGE_ME',
    'replace-me',
    'todo'
  ]) {
    const problem = 'DYTE_API_KEY is still a placeholder'
    t.equal(problemOf({ DYTE_ORG_ID: org, DYTE_API_KEY: text }), problem, text)
    t.equal(
      problemOf({ DYTE_ORG_ID: org, DYTE_API_KEY_FILE: '/run/key' }, () => text),
      problem
    )
  }
  for (const text of ['your-org-id', 'example', 'placeholder', 'insert here', 'password', 'secret']) {
    t.equal(problemOf({ DYTE_ORG_ID: text, DYTE_API_KEY: key }), 'DYTE_ORG_ID is still a placeholder', text)
  }
})

t.test('a secret that cannot stand in a header is refused', async t => {
  for (const text of [`${key} ${key}`, `${key}\n`, `${key}\r\nx-more: 1`, `${key}ä`, `${key}\0`, '“quoted”']) {
    const problem = problemOf({ DYTE_ORG_ID: org, DYTE_API_KEY: text })
    t.equal(problem, 'DYTE_API_KEY must be plain ASCII without white space', JSON.stringify(text))
  }
  t.equal(problemOf({ DYTE_ORG_ID: `${org}:x`, DYTE_API_KEY: key }), 'DYTE_ORG_ID must not have a colon')
})

t.test('a refusal names variables and never shows a value', async t => {
  const canary = randomBytes(8).toString('hex')
  const bad = `${canary} ä:`
  const everything = Object.fromEntries([...variables, 'LIVEGATE_X'].map(name => [name, bad]))
  const problems = [
    problemOf({ ...everything, HOST: '127.0.0.1' }),
    problemOf({ DYTE_ORG_ID: bad, DYTE_API_KEY: key, DYTE_API_KEY_FILE: `/run/${canary}` }),
    problemOf({ DYTE_ORG_ID: org, DYTE_API_KEY_FILE: '/run/key' }, () => bad),
    problemOf({ DYTE_ORG_ID: org, DYTE_API_KEY: key, DYTE_BASE_URL: `https://${canary}:${canary}@api.dyte.io` })
  ]
  for (const problem of problems) {
    t.not(problem, 'accepted')
    t.notMatch(problem, canary)
    t.notMatch(problem, key)
  }
  // Any text can be the name of a host or of a place.
  const places = [
    'HOST',
    'LIVEGATE_DATA_DIR',
    'LIVEGATE_AUDIT_SIGNING_KEY_FILE',
    'LIVEGATE_AUDIT_FINGERPRINT_KEY_FILE',
    'NO_PROXY'
  ]
  for (const name of variables.filter(name => !places.includes(name))) t.match(problems[0], name)
})

t.test('the configuration can be printed whole without its key', async t => {
  const config = readConfig({ DYTE_ORG_ID: org, DYTE_API_KEY: key })
  t.notMatch(JSON.stringify(config) + inspect(config, { depth: null, showHidden: true }), key)
})
