import { readFileSync } from 'node:fs'
import t from 'tap'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { secretFields, variableOf } from '../../../src/upstream/vendors/settings.ts'
import { vendors } from '../../../src/upstream/vendors/vendors.ts'
import { importsOfSrc } from '../../support/imports.ts'

/** The files that may name a vendor: its own folder, the two tables, and the simulator's dialect. */
const own = /^src\/(upstream\/vendors\/|simulator\/dialects\/)/

/** Vendors' names and variables as they stand in code: between quotes, or as a word of capitals. */
function named(text: string): string[] {
  const code = text.replace(/^\s*(\/?\*|\/\/).*$/gm, '')
  return [...vendors].flatMap(([name, { settings }]) => {
    const pattern = new RegExp(`['"\`]${name}['"\`]|\\b${settings.prefix}_[A-Z_]+`, 'g')
    return code.match(pattern) ?? []
  })
}

t.test('no code names a vendor but its own folder and the tables', t => {
  const files = [...importsOfSrc().keys()].filter(file => !own.test(file))
  t.ok(files.length > 250)
  for (const file of files) t.strictSame(named(readFileSync(file, 'utf8')), [], file)
  t.not(named("provider === 'dyte' ? 1 : env.REALTIMEKIT_APP_ID").length, 0, 'what is looked for would be found')
  t.end()
})

t.test('the simulator stands in for each vendor, with the settings that its accounts have', async t => {
  for (const [name, { settings }] of vendors) {
    const simulator = await createSimulator({ vendor: name as 'dyte' })
    t.teardown(() => simulator.close())
    t.equal(simulator.vendor, name)
    t.equal(Object.keys(simulator.credentials).length, secretFields(settings).length, name)
    // `simulate` pairs the two by their order.
    for (const [i, option] of Object.keys(simulator.credentials).entries()) {
      const field = secretFields(settings)[i] ?? ''
      t.ok(field.includes(option), `${variableOf(settings, field)} is --${option}`)
    }
  }
})
