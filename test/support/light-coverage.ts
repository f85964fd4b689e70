/**
 * Loaded into every process of a run (`run.ts`), before tap's own loader: what that would look at for nothing costs half a second
 * for each process and each thread.
 */
import { syncBuiltinESMExports } from 'node:module'
import { resolve } from 'node:path'
import threads, { type WorkerOptions } from 'node:worker_threads'

// The loader notes the lines and the source maps of every file but these; of dependencies nobody wants to know. `@tapjs/mock` stays:
// it is what tap loads first, and with the first file that is noted the coverage begins.
const ignored = /^(node|tapmock):|[\\/](\.tap|tap-snapshots|node_modules[\\/](?!@tapjs[\\/]mock[\\/]))/
process.env._TAPJS_PROCESSINFO_EXCLUDE_ = String(ignored)

const compiled = resolve('.tap/compiled')

// The coverage does not see threads (`coverage.ts`): the store's start without the loader. What one compiles is kept for the next.
threads.Worker = class extends threads.Worker {
  constructor(file: string | URL, options?: WorkerOptions) {
    const env = { ...process.env, NODE_OPTIONS: '', NODE_COMPILE_CACHE: compiled }
    super(file, { execArgv: [], env, ...options })
  }
}
syncBuiltinESMExports()
