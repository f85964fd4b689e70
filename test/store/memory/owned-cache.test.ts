import { randomUUID } from 'node:crypto'
import t from 'tap'
import { OwnedCache } from '../../../src/store/memory/directory.ts'

interface Thing {
  tenantId: string
  id: string
}

/** A source that knows who owns what, and counts how often it was asked. */
function cacheOver(owners: Record<string, string>, maxIds = 100) {
  const asked: string[] = []
  const cache = new OwnedCache<Thing>({
    maxIds,
    async find(tenantId, id) {
      asked.push(`${tenantId} ${id}`)
      return owners[id] === tenantId ? { tenantId, id } : null
    }
  })
  const count = (tenantId: string, id: string) => asked.filter(line => line === `${tenantId} ${id}`).length
  return { cache, asked, count }
}

t.test('an owner is asked for once and remembered until its row changes', async t => {
  const { cache, asked } = cacheOver({ m1: 'acme' })
  for (let i = 0; i < 3; i++) t.strictSame(await cache.find('acme', 'm1'), { tenantId: 'acme', id: 'm1' })
  t.strictSame(asked, ['acme m1'])
  cache.changed('m1')
  await cache.find('acme', 'm1')
  t.equal(asked.length, 2)
})

t.test("somebody else's id is asked of the store exactly as often as one that does not exist", async t => {
  const { cache, count } = cacheOver({ theirs: 'globex' })
  const ask = async (): Promise<void> => {
    t.equal(await cache.find('acme', 'theirs'), null)
    t.equal(await cache.find('acme', 'missing'), null)
    t.equal(count('acme', 'theirs'), count('acme', 'missing'))
  }
  await ask()
  await cache.find('globex', 'theirs')
  await ask()
  cache.changed('theirs')
  await ask()
  await cache.find('globex', 'theirs')
  for (let i = 0; i < 40; i++) await cache.find(`tenant-${i}`, 'theirs')
  await ask()
})

t.test("somebody else's question does not make the owner wait", async t => {
  const { cache, count } = cacheOver({ m1: 'acme' })
  await cache.find('acme', 'm1')
  for (let i = 0; i < 40; i++) await cache.find(`tenant-${i}`, 'm1')
  await cache.find('acme', 'm1')
  t.equal(count('acme', 'm1'), 1)
})

t.test('a new owner is seen after the change, and the old one no longer', async t => {
  const owners: Record<string, string> = { m1: 'acme' }
  const { cache } = cacheOver(owners)
  t.ok(await cache.find('acme', 'm1'))
  t.equal(await cache.find('globex', 'm1'), null)
  owners.m1 = 'globex'
  cache.changed('m1')
  t.equal(await cache.find('acme', 'm1'), null)
  t.ok(await cache.find('globex', 'm1'))
})

t.test('an answer that was read before a change came is not used and not kept', async t => {
  let owner: string | null = 'acme'
  const asked: string[] = []
  const held = Promise.withResolvers<void>()
  const cache = new OwnedCache<Thing>({
    maxIds: 100,
    async find(tenantId, id) {
      const found = owner === tenantId ? { tenantId, id } : null
      asked.push(id)
      if (asked.length === 1) await held.promise
      return found
    }
  })
  const slow = cache.find('acme', 'm1')
  owner = null
  cache.changed('m1')
  held.resolve()
  t.equal(await slow, null, 'the slow answer said acme')
  t.equal(await cache.find('acme', 'm1'), null)
  t.equal(asked.length, 3)
})

t.test('more ids than fit are asked for again, those used lately stay', async t => {
  const ids = ['m1', 'm2', 'm3', 'm4']
  const { cache, count } = cacheOver(Object.fromEntries(ids.map(id => [id, 'acme'])), 3)
  for (const id of ['m1', 'm2', 'm3', 'm1', 'm4', 'm1']) await cache.find('acme', id)
  t.equal(count('acme', 'm1'), 1)
  await cache.find('acme', 'm2')
  t.equal(count('acme', 'm2'), 2)
})

t.test('a store that cannot be read is heard of, and asked again the next time', async t => {
  let broken = true
  const cache = new OwnedCache<Thing>({
    maxIds: 100,
    async find(tenantId, id) {
      if (broken) throw new Error('disk')
      return { tenantId, id }
    }
  })
  await t.rejects(cache.find('acme', 'm1'), { message: 'disk' })
  broken = false
  t.strictSame(await cache.find('acme', 'm1'), { tenantId: 'acme', id: 'm1' })
})

t.test('changes of other ids have nothing read again, however many there are meanwhile', async t => {
  let asked = 0
  const cache = new OwnedCache<Thing>({
    maxIds: 100,
    async find(tenantId, id) {
      asked += 1
      if (asked < 50) cache.changed(`other-${asked}`)
      return { tenantId, id }
    }
  })
  t.strictSame(await cache.find('acme', 'm1'), { tenantId: 'acme', id: 'm1' })
  t.equal(asked, 1)
  await cache.find('acme', 'm1')
  t.equal(asked, 1, 'and it is remembered')
})

t.test('a change of a UUID in another case has what is being read of it read again, by each reader', async t => {
  const id = randomUUID()
  const owner = { tenantId: 'acme', id }
  let asked = 0
  const held = Promise.withResolvers<void>()
  const cache = new OwnedCache<Thing>({
    maxIds: 100,
    async find() {
      const isOld = ++asked <= 2
      if (isOld) await held.promise
      return isOld ? owner : null
    }
  })
  const readers = [cache.find('acme', id), cache.find('acme', id.toUpperCase())]
  cache.changed(id.toUpperCase())
  held.resolve()
  t.strictSame(await Promise.all(readers), [null, null])
  t.equal(asked, 4)
})
