import { closeSync, linkSync, openSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Engine, StoreError } from '../../../src/store/engine/engine.ts'
import { ServedAlready } from '../../../src/store/served/patience.ts'
import { demandNameOfGateway, ownerName, predecessorOf } from '../../../src/store/served/predecessor.ts'
import { openServed, StoreOwner } from '../../../src/store/served/served-store.ts'
import type { Store } from '../../../src/store/store.ts'
import { manualClock } from '../../support/clock.ts'
import { inMemory } from '../../support/in-memory.ts'
import { refusalOf } from '../../support/store/helper.ts'
import { openStoreHere } from '../../support/store.ts'

const ours = { file: '/here/livegate.db.lock', inode: '11' }
const theirs = { file: '/there/livegate.db.lock', inode: '12' }

/** A store that a gateway with the lock file `theirs` serves, or did until it was killed, and what a test needs of its successor. */
async function served(t: Parameters<typeof inMemory>[0]) {
  const file = join(inMemory(t).testdir(), 'livegate.db')
  const store = await openStoreHere(file)
  t.teardown(() => store.close())
  const clock = manualClock()
  const names: number[] = []
  const claim = (lock = theirs, replaces: string | null = null): Promise<StoreOwner> =>
    StoreOwner.claim({ store, file, lock, replaces, bootId: 'this boot', clock, onNames: count => names.push(count) })
  const row = async (): Promise<string | undefined> => {
    const query = store.sql.selectFrom('meta').select('value').where('name', '=', ownerName)
    return (await store.engine.read(query.compile()))[0]?.value
  }
  const write = (value: string) =>
    store.engine.write([store.sql.updateTable('meta').set({ value }).where('name', '=', ownerName).compile()])
  const waits: number[] = []
  /** A successor's wait, half a second at a time; `meanwhile` is told how long it has waited. */
  const successor = (
    waitMs: number,
    meanwhile = async (_ms: number): Promise<unknown> => null,
    name = file
  ): Promise<string | null> => {
    const startedAtMs = clock.monotonic()
    return predecessorOf(name, ours, {
      waitMs,
      onWait: () => waits.push(startedAtMs),
      monotonic: clock.monotonic,
      async pause(ms) {
        clock.advance(ms)
        await meanwhile(clock.monotonic() - startedAtMs)
      }
    })
  }
  return { store, file, clock, names, claim, row, write, waits, successor }
}

t.test('a store that nobody serves, or that a gateway with our lock file served, is taken over at once', async t => {
  const { claim, row, waits, successor } = await served(t)
  t.equal(await successor(0), null, 'nobody has served it')
  const killed = await claim(ours)
  t.equal(await successor(0), await row(), 'we hold its lock file: it is gone')
  t.match(JSON.parse((await row()) ?? ''), {
    bootId: 'this boot',
    lockFile: ours.file,
    lockInode: ours.inode,
    beats: 0
  })
  await killed.release()
  t.equal(await successor(0), null, 'one that has ended in peace leaves nothing')
  t.strictSame(waits, [])
})

t.test('a gateway with another lock file is waited for until it has said nothing for 6 s', async t => {
  const { clock, claim, row, waits, successor } = await served(t)
  await claim()
  const before = clock.monotonic()
  t.equal(await successor(0), await row())
  t.equal(clock.monotonic() - before, 6_000)
  t.strictSame(waits, [before], 'and that it is waited for is told once')
})

t.test('a gateway with another lock file that lives keeps the store, and its successor says where it is', async t => {
  const { clock, file, claim, successor } = await served(t)
  const owner = await claim()
  const before = clock.monotonic()
  const beats = (ms: number) => (ms % 2_000 === 0 ? owner.beat() : Promise.resolve())
  t.match(await refusalOf(successor(9_000, beats)), {
    constructor: ServedAlready,
    reason: `another gateway serves ${file}, under another name or with a lock file that was removed (${theirs.file}): one store, one gateway`
  })
  t.equal(clock.monotonic() - before, 9_000, 'since it might have been about to end')
})

t.test(
  'a gateway that beats as seldom as once in 6 s, or ends meanwhile, is not taken for one that is gone',
  async t => {
    const { claim, successor, clock } = await served(t)
    const owner = await claim()
    const seldom = (ms: number) => (ms % 5_500 === 0 ? owner.beat() : Promise.resolve())
    t.match(await refusalOf(successor(20_000, seldom)), { constructor: ServedAlready })
    const before = clock.monotonic()
    const ends = (ms: number) => (ms === 1_000 ? owner.release() : Promise.resolve())
    t.equal(await successor(20_000, ends), null)
    t.equal(clock.monotonic() - before, 1_000)
  }
)

t.test('a row that is none of ours counts as a gateway that nobody knows', async t => {
  const { claim, write, successor, clock } = await served(t)
  await claim()
  for (const garbled of ['', 'null', '{"lockFile":1}', '{"id']) {
    await write(garbled)
    const before = clock.monotonic()
    t.equal(await successor(0), garbled)
    t.equal(clock.monotonic() - before, 6_000)
    const grows = (ms: number) => write(garbled + ' '.repeat(ms))
    t.match(await refusalOf(successor(1_000, grows)), { reason: /\(one that is not known\)/ })
  }
})

t.test('changes that a killed gateway has left beside another name of the file are not left behind', async t => {
  const { file, claim, successor, row } = await served(t)
  await claim({ file: `${file}.lock`, inode: '12' })
  t.equal(await successor(0), await row(), 'beside our own name they are found')
  const second = `${file}-second`
  linkSync(file, second)
  t.equal(
    await refusalOf(successor(0, undefined, second)).then(error => (error as StoreError).reason),
    `${second} was served as ${file} by a gateway that was killed, and its last changes are beside that name: use it by that`
  )
})

t.test('a command uses the name that the gateway uses', async t => {
  const { file, claim } = await served(t)
  const second = `${file}-second`
  demandNameOfGateway(second)
  const owner = await claim({ file: `${file}.lock`, inode: '12' })
  demandNameOfGateway(file)
  linkSync(file, second)
  demandNameOfGateway(file)
  const refused = async () => demandNameOfGateway(second)
  t.equal(
    await refusalOf(refused()).then(error => (error as StoreError).reason),
    `${second} is served under another name (its lock file is ${file}.lock): use it by that`
  )
  writeFileSync(`${second}.lock`, '')
  await owner.release()
  await claim({ file: '/mounted/livegate.db.lock', inode: String(statSync(`${second}.lock`).ino) })
  demandNameOfGateway(second)
  t.pass('also where its folder has another name')
})

t.test('the gateway that serves a damaged store is not known: that is said, and nothing is taken over', async t => {
  const { file, store, claim, successor } = await served(t)
  await claim()
  await store.close()
  // The list of all tables begins there (sqlite.org/fileformat2.html#b_tree_pages).
  const handle = openSync(file, 'r+')
  writeSync(handle, Buffer.alloc(8, 0xff), 0, 8, 100)
  closeSync(handle)
  const { reason } = (await refusalOf(successor(0))) as StoreError
  t.match(reason, new RegExp(`^${file} cannot be read: SQLITE_CORRUPT`))
})

t.test('one of two that take over at once is refused', async t => {
  const { claim, row } = await served(t)
  await claim()
  const before = (await row()) ?? ''
  await claim(ours, before)
  for (const late of [before, null]) {
    t.match(await refusalOf(claim(ours, late)), {
      constructor: ServedAlready,
      reason: 'another gateway has just begun to serve this store'
    })
  }
})

t.test('a gateway whose store was taken over writes nothing more, and leaves the other one its row', async t => {
  const { clock, claim, row } = await served(t)
  const owner = await claim()
  t.ok(owner.isSure)
  await claim(ours, (await row()) ?? '')
  clock.advance(4_000)
  t.notOk(owner.isSure, 'after two beats that did not come it asks before it writes')
  t.match(await refusalOf(owner.beat()), {
    constructor: StoreError,
    reason: 'another gateway has taken this store over: end one of the two'
  })
  t.ok(owner.lost)
  t.notOk(owner.isSure)
  await owner.release()
  t.match(JSON.parse((await row()) ?? ''), { lockInode: ours.inode })
})

t.test('a beat that is on disk although nobody heard of it loses nothing', async t => {
  const { store, claim } = await served(t)
  const owner = await claim()
  const { write } = store.engine
  store.engine.write = async (...args) => {
    await write(...args)
    throw new StoreError('the thread ended')
  }
  t.match(await refusalOf(owner.beat()), { reason: 'the thread ended' })
  store.engine.write = write
  await owner.beat()
  t.notOk(owner.lost)
})

t.test('from the first second name of the database on, each beat is in its own file', async t => {
  const { store, file, names, claim } = await served(t)
  let folds = 0
  const { fold } = store.engine
  Object.assign(store.engine, {
    fold() {
      folds += 1
      return fold()
    }
  } satisfies Partial<Engine>)
  const owner = await claim()
  t.equal(folds, 1, 'whatever comes later, that it is served can be seen')
  await owner.beat()
  t.equal(folds, 1)
  linkSync(file, `${file}-second`)
  await Promise.all([owner.beat(), owner.beat()])
  await owner.beat()
  t.equal(folds, 3)
  t.strictSame(names, [2], 'and it is told once')
})

t.test('a served store is written by its owner alone: after 4 s without a beat one comes first', async t => {
  const file = join(inMemory(t).testdir(), 'livegate.db')
  const clock = manualClock()
  const troubles: unknown[] = []
  const store = await openServed({
    file,
    open: openStoreHere,
    waitMs: 0,
    bootId: null,
    clock,
    onWait() {},
    onNames() {},
    onTrouble: error => troubles.push(error)
  })
  const other = await openStoreHere(file)
  t.teardown(() => other.close())
  const read = other.sql.selectFrom('meta').select('value').where('name', '=', ownerName).compile()
  const beats = async (): Promise<number> => JSON.parse((await other.engine.read(read))[0]?.value ?? '').beats
  const put = (name: string) => store.engine.write([store.sql.insertInto('meta').values({ name, value: '' }).compile()])
  clock.advance(3_999)
  await put('one')
  t.equal(await beats(), 0)
  clock.advance(1)
  await Promise.all([put('two'), put('three')])
  t.equal(await beats(), 1)
  await other.engine.write([
    other.sql.updateTable('meta').set({ value: 'another' }).where('name', '=', ownerName).compile()
  ])
  await put('four')
  clock.advance(4_000)
  const taken = { constructor: StoreError, reason: /^another gateway has taken this store over/ }
  t.match(await refusalOf(put('five')), taken)
  t.ok(store.lost())
  t.match(await refusalOf(put('six')), taken, 'and it asks again each time')
  const found = await other.engine.read(other.sql.selectFrom('meta').select('name').where('value', '=', '').compile())
  t.strictSame(found.map(({ name }) => name).sort(), ['four', 'one', 'three', 'two'])
  await store.close()
  t.strictSame(troubles, [])
})

t.test('a store that cannot be opened, or not be written, to be served leaves no lock behind', async t => {
  const file = join(inMemory(t).testdir(), 'livegate.db')
  const refused = new StoreError('not today')
  const options = { file, waitMs: 0, bootId: null, clock: manualClock(), onWait() {}, onNames() {}, onTrouble() {} }
  t.equal(await refusalOf(openServed({ ...options, open: () => Promise.reject(refused) })), refused)
  const readOnly = async (): Promise<Store> => {
    const store = await openStoreHere(file)
    return { ...store, engine: { ...store.engine, write: () => Promise.reject(refused) } }
  }
  t.equal(await refusalOf(openServed({ ...options, open: readOnly })), refused)
  const store = await openServed({ ...options, open: openStoreHere })
  t.match(await refusalOf(openServed({ ...options, open: openStoreHere })), {
    reason: `another gateway serves ${file}: one store, one gateway`
  })
  await store.close()
})
