import { existsSync, readdirSync } from 'node:fs'
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, join } from 'node:path'
import t from 'tap'
import { type CommandLine, commandLine } from '../../support/cli.ts'
import { inMemory } from '../../support/in-memory.ts'

const { rename } = fs

/** Lets so many files be renamed, and no more; each stands for a moment at which a restore may end. */
function renameOnly(times: number): { tried(): number } {
  let tried = 0
  fs.rename = async (from, to) => {
    tried += 1
    if (tried > times) throw Object.assign(new Error('EIO: the machine is off'), { code: 'EIO' })
    await rename(from, to)
  }
  syncBuiltinESMExports()
  return { tried: () => tried }
}

function renameAll(): void {
  fs.rename = rename
  syncBuiltinESMExports()
}
t.teardown(renameAll)

/** The stores that lie in the folder: the key is revoked in the newest. */
async function stores({ storeFile }: CommandLine): Promise<string[]> {
  const folder = dirname(storeFile)
  const files = readdirSync(folder).filter(name => /^livegate\.db(\.replaced-[^/]*Z)?$/.test(name))
  const states = files.map(async name => {
    const keys = await commandLine(t, { DATABASE_URL: `sqlite:${join(folder, name)}` }).json('key', 'list')
    return keys.every((key: { revoked_at: string | null }) => key.revoked_at === null) ? 'older' : 'newest'
  })
  return Promise.all(states)
}

t.test('a restore that ends in the middle loses no store, serves none that is older, and can be repeated', async t => {
  const ends: string[] = []
  for (let moment = 0; ; moment++) {
    const cli = commandLine(t)
    const backup = join(inMemory(t).testdir(), 'backup')
    await cli.json('tenant', 'create', 'acme')
    const { id } = await cli.json('key', 'create', 'acme', '--preset', 'viewer')
    await cli.json('backup', backup)
    await cli.json('key', 'revoke', id)

    const { tried } = renameOnly(moment)
    const { code } = await cli.run('restore', backup, '--replace')
    renameAll()
    t.ok((await stores(cli)).includes('newest'), `${moment}: the newest store is there`)
    const served = await commandLine(t, cli.env).run('tenant', 'create', 'globex')
    const proof = await cli.run('audit', 'verify')
    const isNewest = existsSync(cli.storeFile) && (await cli.json('key', 'list'))[0].revoked_at !== null
    ends.push(
      `${code === 0 ? 'done' : 'ended'}: ${isNewest ? 'newest' : 'older'}, ${served.code === 0 ? 'changed' : 'refused'}`
    )
    if (served.code === 0) t.equal(proof.code, isNewest ? 0 : 3, `${moment}: on record`)
    if (tried() <= moment) break

    const again = await cli.run('restore', backup, '--replace')
    t.equal(again.code, 0, `${moment}: ${again.stderr}`)
    t.ok((await stores(cli)).includes('newest'))
    t.match(await cli.run('audit', 'verify'), { code: 3 })
  }
  const kinds = ['ended: newest, changed', 'ended: older, refused', 'done: older, changed']
  t.strictSame([...new Set(ends)], kinds, 'before it is moved, until it is on record, and from then on')
})
