/** A store without threads, for tests that look into it: quicker, and seen by the coverage, which threads are not. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openStoreHere as openHere, type Store } from '../../src/store/store.ts'

export { openSnapshot } from '../../src/store/store.ts'

/** The bytes of a store without rows, made once in a process: the steps of the schema cost a quarter of a gateway's start. */
let empty: Promise<Buffer> | undefined

/** A lock is waited for on the thread of the test: for no longer than it takes to see that it is held. */
const shortWait = { busyTimeoutMs: 25 }

/** As in src, but a new store is a copy of an empty one, with an audit log of its own. */
export async function openStoreHere(...[file, waits = shortWait]: Parameters<typeof openHere>): Promise<Store> {
  const isNew = existsSync(file) ? statSync(file).size === 0 : existsSync(dirname(file))
  if (!isNew) return openHere(file, waits)
  empty ??= makeEmpty()
  writeFileSync(file, await empty, { mode: 0o600 })
  const store = await openHere(file, waits)
  const ownLog = { value: randomBytes(8).toString('hex') }
  await store.engine.write([store.sql.updateTable('meta').set(ownLog).where('name', '=', 'audit_log').compile()])
  return store
}

async function makeEmpty(): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'livegate-empty-'))
  try {
    const file = join(folder, 'livegate.db')
    const store = await openHere(file)
    await store.close()
    return readFileSync(file)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
