/**
 * Runs tap and ends with one line of counts: `12 passed, 0 failed`. Arguments go on to tap. The counts are assertions; a run
 * that is red for another reason counts as one failure. A run of all tests must also have run every line of src; of one that
 * names files nobody asks that.
 */
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { builtOnce } from './built.ts'
import { uncovered } from './coverage.ts'
import { Failures } from './failures.ts'
import { writeGroups } from './groups.ts'

const tap = 'node_modules/tap/dist/esm/run.mjs'
const readyMadeBuild = 'node_modules/@tapjs/test/test-built/dist/esm/index.js'
const light = import.meta.resolve('./light-tap.ts')
/** Short-lived objects of whole gateways: with room for them the collector, a tenth of the work, runs less often. */
const room = '--max-semi-space-size=32'
const args = process.argv.slice(2)
const everything = args.every(arg => arg.startsWith('-') && arg !== '--disable-coverage')

// A fresh install carries tap's own build, with the plugin that .taprc takes out: the first run would fail.
if (readFileSync(readyMadeBuild, 'utf8').includes('@tapjs/typescript')) {
  spawnSync(process.execPath, [tap, 'build'], { stdio: 'inherit' })
}

// The plain reporter, because the pretty ones swallow the reason when a test file does not load.
// The bar is ours (`coverage.ts`): tap's own would also ask for every branch.
const reports = everything
  ? ['--allow-incomplete-coverage', '--coverage-report=lcovonly', '--coverage-report=text-summary']
  : args.some(arg => arg.includes('coverage'))
    ? []
    : ['--disable-coverage']
// Code that one process has compiled is kept for the next ones: a quarter of what most test files cost. Not where coverage is measured:
// of a function that comes from the cache it does not tell exactly what has run.
const cache = reports.includes('--disable-coverage') ? { NODE_COMPILE_CACHE: resolve('.tap/compiled') } : {}
const files = args.every(arg => arg.startsWith('-')) ? writeGroups() : []
// Guarantees start many processes.
const built = everything || args.some(arg => arg.includes('guarantees')) ? { BUILD_OF_TESTS: resolve(builtOnce()) } : {}
const child = spawn(process.execPath, [tap, '--reporter=tap', ...reports, ...args, ...files], {
  stdio: ['inherit', 'pipe', 'inherit'],
  env: {
    ...process.env,
    ...cache,
    ...built,
    NODE_OPTIONS: [process.env.NODE_OPTIONS, room, `--import=${light}`].join(' ').trim()
  }
})

const failures = new Failures()
let end = ''
let unread = ''
child.stdout.setEncoding('utf8')
child.stdout.on('data', (text: string) => {
  process.stdout.write(text)
  end = (end + text).slice(-4_000)
  const lines = (unread + text).split('\n')
  unread = lines.pop() ?? ''
  for (const line of lines) failures.line(line)
})
child.on('close', code => {
  const totals = [...end.matchAll(/^# \{ total: .*\}$/gm)].at(-1)?.[0] ?? ''
  const count = (name: string): number => Number(new RegExp(`\\b${name}: (\\d+)`).exec(totals)?.[1] ?? 0)
  const missed = everything ? uncovered() : []
  if (missed.length > 0) console.log(`not run by any test:\n  ${missed.join('\n  ')}`)
  for (const failure of failures.list()) console.log(`\nfailed: ${failure}`)
  const green = code === 0 && totals !== '' && missed.length === 0
  const failed = green ? 0 : Math.max(1, count('fail'))
  const skipped = count('skip') + count('todo')
  console.log(`${count('pass')} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  process.exitCode = green ? 0 : (code ?? 0) || 1
})
