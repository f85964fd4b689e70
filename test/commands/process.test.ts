import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import type { Environment } from '../../src/config/config.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { measured, runProcess, start, startNode } from '../support/cli.ts'
import { environmentOf } from '../support/config.ts'
import { programOf } from '../support/runner/built.ts'
import { openStoreHere } from '../support/store.ts'

t.test('the process exits with the code of its command', async t => {
  const [help, wrong] = await Promise.all([runProcess(t, ['--help']), runProcess(t, ['nonsense'])])
  t.match(help, { code: 0, stdout: /^Usage: livegate /, stderr: '' })
  t.strictSame(wrong, { code: 2, stdout: '', stderr: "livegate: unknown command 'nonsense'\n" })
})

t.test('signals are taken before anything else is loaded', async t => {
  const imported = (file: string) =>
    [...stripTypeScriptTypes(readFileSync(file, 'utf8')).matchAll(/^import .*'(.*)'/gm)].map(([, name]) => name)
  t.strictSame(imported('src/cli.ts'), ['./commands/process/shutdown.ts'])
  for (const name of imported('src/commands/process/shutdown.ts')) t.match(name, /^node:/)
})

t.test('a reader that leaves early is no failure; an output that cannot be written is one', async t => {
  const inShell = (program: string, rest: string, env: Environment = {}) =>
    start(t, ['/bin/sh', '-c', `${process.execPath} ${program} openapi ${rest}`], env).ended
  const [early, full] = await Promise.all([
    inShell(programOf('src/cli.ts'), '| head -c 1'),
    inShell('src/cli.ts', '> /dev/full', measured)
  ])
  t.strictSame(early, { code: 0, stdout: '{', stderr: '' })
  t.equal(full.code, 1)
  t.match(full.stderr, /^livegate: standard output cannot be written: ENOSPC[^\n]*\n$/)
})

t.test('at its end serve says on standard error how many log lines could not be written', async t => {
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  const taken = { ...environmentOf(simulator), PORT: String(simulator.port) }
  const env = { ...taken, DATABASE_URL: `sqlite:${join(t.testdir(), 'livegate.db')}`, ...measured }
  const command = `${process.execPath} src/cli.ts serve > /dev/full`
  const { code, stderr } = await start(t, ['/bin/sh', '-c', command], env).ended
  t.equal(code, 1)
  t.match(stderr, /^livegate: port \d+ is taken; [^\n]*\nlivegate: \d+ log lines could not be written\n$/)
})

t.test('an error that nobody caught ends simulate and demo with 1 and one line', async t => {
  const script = `
    import { endWith, takeSignals } from './src/commands/process/shutdown.ts'
    takeSignals('demo')
    endWith({ close: async () => console.log('closed'), withinMs: 10_000 })
    setImmediate(() => { throw new Error('nobody caught this') })`
  const outcome = await startNode(t, ['--input-type=module', '-e', script], {}).ended
  t.strictSame(outcome, { code: 1, stdout: 'closed\n', stderr: 'livegate: unexpected: nobody caught this\n' })
})

t.test('a command waits for its turn while the store is being written', async t => {
  const file = join(t.testdir(), 'livegate.db')
  await (await openStoreHere(file)).close()
  const writer = new Database(file)
  t.teardown(() => writer.close())
  writer.exec('BEGIN IMMEDIATE')
  const command = runProcess(t, ['tenant', 'create', 'acme'], { DATABASE_URL: `sqlite:${file}`, ...measured })
  // Longer than the half second after which a gateway gives up.
  setTimeout(() => writer.exec('ROLLBACK'), 2_500)
  t.match(await command, { code: 0, stdout: /^created tenant acme/, stderr: '' })
})
