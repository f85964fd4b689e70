import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from './test-context.ts'

/** A folder in memory, or null where there is no such place. */
export const memory = existsSync('/dev/shm') ? '/dev/shm' : null

/** The same test with its folder in memory, where there is such a place: a durable write then waits for no disk. */
export function inMemory(t: TestContext): TestContext {
  return {
    teardown: fn => t.teardown(fn),
    testdir() {
      const folder = mkdtempSync(join(memory ?? tmpdir(), 'livegate-'))
      // Something may still be written there while it goes.
      t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
      return folder
    }
  }
}
