import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from './test-context.ts'

/** A folder for Unix sockets, whose paths may have 107 bytes: those of the test's own folder are longer. */
export function shortFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'lg-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
