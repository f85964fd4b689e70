/**
 * Loaded before every test file (`.taprc`): a thread of the store starts without tap's loader, which takes half a second, twice
 * for each gateway, and sees nothing of a thread anyway (`coverage.ts`). What a thread compiles is kept for the next one.
 */
import { syncBuiltinESMExports } from 'node:module'
import { resolve } from 'node:path'
import threads, { type WorkerOptions } from 'node:worker_threads'

const compiled = resolve('.tap/compiled')

threads.Worker = class extends threads.Worker {
  constructor(file: string | URL, options?: WorkerOptions) {
    const env = { ...process.env, NODE_OPTIONS: '', NODE_COMPILE_CACHE: compiled }
    super(file, { execArgv: [], env, ...options })
  }
}
syncBuiltinESMExports()
