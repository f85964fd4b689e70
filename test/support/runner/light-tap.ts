/**
 * Loaded into every process of a run (`run.ts`), before tap itself: takes out of it what costs much and nobody here needs.
 */
import { enableCompileCache, registerHooks, syncBuiltinESMExports } from 'node:module'
import { resolve } from 'node:path'
import threads, { type WorkerOptions } from 'node:worker_threads'

// Tap's loader notes the lines and the source maps of every file but these; of dependencies nobody wants to know. `@tapjs/mock` stays:
// it is what tap loads first, and with the first file that is noted the coverage begins.
const ignored = /^(node|tapmock):|[\\/](\.tap|tap-snapshots|node_modules[\\/](?!@tapjs[\\/]mock[\\/]))/
process.env._TAPJS_PROCESSINFO_EXCLUDE_ = String(ignored)

const compiled = resolve('.tap/compiled')

// Coverage is off in guarantees and in other files that have a process of their own (`groups.ts`): it slows them down, and what
// campaigns run by luck must be run by other tests as well. So they, and the processes that they start, may take what an earlier
// process has compiled, and need nothing of tap's.
if (/\btest[\\/-](guarantees[\\/-]|bench[\\/-]|build\.test)/.test(process.argv[1] ?? '')) {
  process.env._TAPJS_PROCESSINFO_COVERAGE_ = '0'
  enableCompileCache(compiled)
  process.env.NODE_COMPILE_CACHE = compiled
  process.env.NODE_OPTIONS = ''
}

// The coverage does not see threads (`coverage.ts`): the store's start without the loader. What one compiles is kept for the next.
threads.Worker = class extends threads.Worker {
  constructor(file: string | URL, options?: WorkerOptions) {
    const env = { ...process.env, NODE_OPTIONS: '', NODE_COMPILE_CACHE: compiled }
    super(file, { execArgv: [], env, ...options })
  }
}
syncBuiltinESMExports()

/** Our own in the place of packages that tap loads. */
const light = new Map([
  ['async-hook-domain', import.meta.resolve('./light-domain.ts')],
  ['process-on-spawn', import.meta.resolve('./light-spawn.ts')]
])

registerHooks({
  resolve(specifier, context, next) {
    const url = light.get(specifier)
    return url === undefined ? next(specifier, context) : { url, format: 'module-typescript', shortCircuit: true }
  }
})
