import { readFileSync } from 'node:fs'
import t from 'tap'
import { checkConfiguration } from '../../src/commands/doctor/configuration.ts'
import { readConfig } from '../../src/config/config.ts'
import { type Environment, Input, readText } from '../../src/config/environment.ts'
import type { Setting } from '../../src/config/setting.ts'
import { sections, settingsWith } from '../../src/config/settings.ts'
import { vendors } from '../../src/upstream/vendors/vendors.ts'
import { envExample, withTables } from '../support/settings.ts'

const settings = settingsWith(vendors)
const known: [name: string, setting: Setting<unknown>][] = Object.entries(settings)
const accounts: Environment[] = [
  { DYTE_ORG_ID: 'org-1', DYTE_API_KEY: 'a-made-up-one' },
  { REALTIMEKIT_ACCOUNT_ID: 'account', REALTIMEKIT_APP_ID: 'app', REALTIMEKIT_API_TOKEN: 'a-made-up-one' }
]

t.test('.env.example and docs/configuration.md are those of the table: `npm run settings` makes them', async t => {
  const read = (file: string): string => readFileSync(file, 'utf8')
  t.equal(read('.env.example'), envExample())
  t.equal(read('docs/configuration.md'), withTables(read('docs/configuration.md')))
  t.throws(() => withTables('without marks'), { message: 'the marks of the generated part are missing' })
})

t.test('each variable stands under one heading', async t => {
  const names = sections.flatMap(([, under]) => Object.keys(under))
  t.strictSame(names, Object.keys(settings))
  t.equal(new Set(names).size, names.length)
})

t.test('the written default of a variable means the same as leaving it out', async t => {
  for (const [name, { text, fallback, read }] of known) {
    for (const env of [{}, { [name]: '' }, { [name]: text }]) {
      const input = new Input(env, readText)
      t.strictSame(read(input, name), fallback, name)
      input.finish()
    }
  }
  const written = Object.fromEntries(known.map(([name, { text }]) => [name, text]))
  for (const account of accounts) {
    const [config, usual] = [readConfig({ ...written, ...account }), readConfig(account)]
    t.strictSame(config, usual)
    t.equal(config.upstreams[0]?.baseUrl.href, usual.upstreams[0]?.baseUrl.href)
  }
})

t.test('doctor goes on with the defaults of the table where the configuration cannot be used', async t => {
  const { deadlineMs, diskFloorMb } = readConfig(accounts[0])
  t.match(checkConfiguration({}), { checks: [{ status: 'failed' }], deadlineMs, diskFloorMb })
})
