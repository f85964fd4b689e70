/**
 * `npm run test:container`: builds the image with an engine of its own and runs `test/container` against it. Arguments are files to run
 * instead. Where this machine can have no engine it says so in one line, and is no failure.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { NotHere, startEngine } from './engine.ts'
import { buildImage, makeBase } from './image.ts'

const given = process.argv.slice(2)
const files = given.length > 0 ? given : globSync('test/container/*.container.ts').sort()
const revision = spawnSync('git', ['rev-parse', '--short=12', 'HEAD'], { encoding: 'utf8' }).stdout.trim() || 'unknown'

/** The seconds that a step takes, as people read them. */
async function timed(what: string, step: () => unknown): Promise<void> {
  const from = performance.now()
  await step()
  console.log(`# ${what}: ${((performance.now() - from) / 1000).toFixed(0)} s`)
}

try {
  const engine = await startEngine()
  // Ctrl-C reaches the engine too: it ends by itself, and here only its folder is left.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => engine.stop().then(() => process.exit(1)))
  try {
    await timed('the stand-in for the official image', () => makeBase(engine.env))
    await timed('docker build', () => buildImage(engine.env, revision))
    const tests = spawn(process.execPath, ['test/support/runner/run.ts', ...files, '--jobs=1', '--timeout=900'], {
      stdio: 'inherit',
      env: { ...process.env, ...engine.env, LIVEGATE_REVISION: revision }
    })
    const [code] = await once(tests, 'exit')
    process.exitCode = code ?? 1
  } finally {
    await engine.stop()
  }
} catch (error) {
  if (!(error instanceof NotHere)) throw error
  console.log(`SKIPPED: the image was not tested, since this machine can run no engine: ${error.message}`)
}
