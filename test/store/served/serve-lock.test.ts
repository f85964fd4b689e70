import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t from 'tap'
import { StoreError } from '../../../src/store/engine/engine.ts'
import { ServedAlready } from '../../../src/store/served/patience.ts'
import { takeServeLock } from '../../../src/store/served/serve-lock.ts'
import { refusalOf } from '../../support/store/helper.ts'

const module = new URL('../../../src/store/served/serve-lock.ts', import.meta.url).href

t.test('a second gateway on the same store waits, then refuses and says why', async t => {
  const file = join(t.testdir(), 'livegate.db')
  const first = await takeServeLock(file, 0)
  t.teardown(() => first.release())
  const startedMs = performance.now()
  t.match(await refusalOf(takeServeLock(file, 250)), {
    constructor: ServedAlready,
    reason: `another gateway serves ${file}: one store, one gateway`
  })
  t.ok(performance.now() - startedMs >= 249)
})

t.test('a second gateway gets the store when the first one ends in time', async t => {
  const file = join(t.testdir(), 'livegate.db')
  const first = await takeServeLock(file, 0)
  const second = takeServeLock(file, 60_000)
  first.release()
  const lock = await second
  t.teardown(() => lock.release())
  t.match(await refusalOf(takeServeLock(file, 0)), { constructor: ServedAlready })
})

t.test('stores beside one another do not wait for each other, and the folder is made', async t => {
  const folder = join(t.testdir(), 'new')
  const one = await takeServeLock(join(folder, 'one.db'), 0)
  t.teardown(() => one.release())
  const two = await takeServeLock(join(folder, 'two.db'), 0)
  t.teardown(() => two.release())
  t.ok(one !== two)
})

t.test('a gateway that was killed leaves no lock behind', async t => {
  const file = join(t.testdir(), 'livegate.db')
  const script = `
    const { takeServeLock } = await import(${JSON.stringify(module)})
    await takeServeLock(${JSON.stringify(file)}, 0)
    console.log('taken')
    setInterval(() => {}, 1_000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  t.match(await refusalOf(takeServeLock(file, 0)), { constructor: ServedAlready })
  child.kill('SIGKILL')
  await once(child, 'exit')
  const lock = await takeServeLock(file, 0)
  t.teardown(() => lock.release())
  t.ok(lock)
})

t.test('a place where no lock can be made is told as such, at once and not as another gateway', async t => {
  const folder = t.testdir({ file: 'no folder', 'folder.db.lock': {}, 'text.db.lock': 'no database'.repeat(1_000) })
  for (const file of ['file/livegate.db', 'folder.db', 'text.db']) {
    const path = join(folder, file)
    t.match(await refusalOf(takeServeLock(path, 60_000)), {
      constructor: StoreError,
      reason: new RegExp(`^cannot lock ${path}`)
    })
  }
})
