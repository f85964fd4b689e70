import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Job, Result } from './load.ts'

export interface Generator {
  /** @throws when a request could not be sent at all */
  run(job: Job): Promise<Result>
  stop(): void
}

export function startGenerator(): Generator {
  const env = { PATH: process.env.PATH ?? '' }
  const child = fork(join(import.meta.dirname, 'load.ts'), [], { env, execArgv: [] })
  return {
    async run(job) {
      child.send(job)
      const [result] = (await once(child, 'message')) as [Result | { error: string }]
      if ('error' in result) throw new Error(`${job.what} at ${job.url}: ${result.error}`)
      return result
    },
    stop: () => child.kill()
  }
}
