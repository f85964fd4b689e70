/**
 * The long run: the properties, and every campaign with its full count (`campaigns.ts`), each with a fresh seed that is printed.
 * With `--minutes 30` again and again until the time is over; what has begun by then is finished. Ends at the first failure, with
 * the command that repeats it: `--seed` and the files.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { campaigns } from './campaigns.ts'

const { values, positionals } = parseArgs({
  options: { minutes: { type: 'string' }, seed: { type: 'string' } },
  allowPositionals: true
})
if (values.minutes !== undefined && !(Number(values.minutes) > 0)) {
  console.error('--minutes must be a number greater than 0')
  process.exit(2)
}
const endsAtMs = values.minutes === undefined ? null : performance.now() + Number(values.minutes) * 60_000
const isOver = (): boolean => endsAtMs !== null && performance.now() >= endsAtMs

const sum = { passed: 0, failed: 0 }
do {
  for (const files of positionals.length > 0 ? [positionals] : everything()) {
    run(files, values.seed ?? randomBytes(4).toString('hex'))
    if (sum.failed > 0 || isOver()) break
  }
} while (endsAtMs !== null && sum.failed === 0 && !isOver())
console.log(`${sum.passed} passed, ${sum.failed} failed`)
process.exitCode = sum.failed === 0 ? 0 : 1

/** The files of each run. They begin anywhere, so that a short time does not always leave out the same. */
function everything(): string[][] {
  const files = Object.values(campaigns).map(({ file }) => file as string)
  const properties = globSync('test/**/*.test.ts').filter(
    file => !files.includes(file) && readFileSync(file, 'utf8').includes('runner/properties.ts')
  )
  const all = [properties.sort(), ...files.map(file => [file])]
  const first = endsAtMs === null ? 0 : Math.floor(Math.random() * all.length)
  return [...all.slice(first), ...all.slice(0, first)]
}

function run(files: string[], seed: string): void {
  console.log(`LIVEGATE_SEED=${seed} ${files.length > 1 ? `${files.length} files with properties` : files}`)
  const startedAtMs = performance.now()
  // As long as it takes: some campaigns set a limit of their own.
  const args = ['test/support/runner/run.ts', '--disable-coverage', '--timeout=0', ...files]
  const env = { ...process.env, LIVEGATE_SEED: seed, LIVEGATE_CAMPAIGN: 'full' }
  const { status, stdout } = spawnSync(process.execPath, args, {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: Number.POSITIVE_INFINITY
  })
  const [, passed = '0', failed = '1'] = /^(\d+) passed, (\d+) failed/m.exec(stdout) ?? []
  sum.passed += Number(passed)
  sum.failed += status === 0 ? 0 : Math.max(1, Number(failed))
  if (status !== 0) console.log(`${stdout}\nto repeat it: npm run campaign -- --seed ${seed} ${files.join(' ')}`)
  else console.log(`  ${passed} passed in ${Math.round((performance.now() - startedAtMs) / 1_000)} s`)
}
