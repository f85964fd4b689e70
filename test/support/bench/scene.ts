import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from '../test-context.ts'

export type Scene = TestContext & { folder: string }

/** Removes what a part of the bench leaves behind when it ends, so that no part disturbs the next. */
export async function scene<T>(work: (context: Scene) => Promise<T>, root = tmpdir()) {
  const folder = mkdtempSync(join(root, 'livegate-bench-'))
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
  try {
    return await work({ folder, testdir: () => folder, teardown: fn => ends.push(fn) })
  } finally {
    while (ends.length > 0) await ends.pop()?.()
  }
}
