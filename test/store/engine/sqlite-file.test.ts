import { existsSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { StoreError } from '../../../src/store/engine/engine.ts'
import { makeFile } from '../../../src/store/engine/sqlite-file.ts'
import { refusalOf } from '../../support/store/helper.ts'

t.test(
  'a file that is a mount of its own is refused by name, through a link too, and one whose folder is mounted is not',
  async t => {
    const folder = realpathSync(t.testdir({ 'a folder': {} }))
    const file = join(folder, 'a folder', 'livegate.db')
    const link = join(folder, 'link.db')
    symlinkSync(file, link)
    const mounts = join(folder, 'mountinfo')
    const line = (point: string) => `63 43 254:0 /out/real.db ${point} rw,relatime - ext4 /dev/vda rw\n`
    writeFileSync(mounts, line('/') + line(`${folder}/a\\040folder`))
    await makeFile(file, mounts)
    writeFileSync(mounts, line('/') + line(`${folder}/a\\040folder/livegate.db`) + line('/proc'))
    for (const name of [file, link]) {
      t.match(await refusalOf(makeFile(name, mounts)), {
        constructor: StoreError,
        reason: `${name} is a mount of its own: mount its folder, since SQLite keeps files beside it`
      })
    }
    // A system that has no such list has no such mounts.
    await t.resolves(makeFile(file, join(folder, 'none')))
  }
)

t.test('a link that leads to a file which is not there yet makes that file', async t => {
  const folder = t.testdir({ data: {} })
  const [real, link] = [join(folder, 'data', 'livegate.db'), join(folder, 'livegate.db')]
  symlinkSync(real, link)
  await makeFile(link)
  t.ok(existsSync(real))
  const nowhere = join(folder, 'nowhere.db')
  symlinkSync(join(folder, 'none', 'livegate.db'), nowhere)
  t.match(await refusalOf(makeFile(nowhere)), {
    constructor: StoreError,
    reason: new RegExp(`^cannot open ${nowhere}: ENOENT`)
  })
})
