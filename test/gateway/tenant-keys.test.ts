import t from 'tap'
import { watchExpiringKeys } from '../../src/gateway/expiring-keys.ts'
import { type KeyUsesDeps, keepKeyUses } from '../../src/gateway/key-uses.ts'
import { StoreError } from '../../src/store/engine/engine.ts'
import { apiKeysIn } from '../../src/store/tables/api-keys.ts'
import { keyUsesIn } from '../../src/store/tables/key-uses.ts'
import { dayMs, hourMs, manualClock } from '../support/clock.ts'
import { gateway } from '../support/gateway.ts'
import { keyOf, storeWithTenants } from '../support/store/helper.ts'
import { until } from '../support/until.ts'

t.test('the hour of the last use of a key is kept, and an earlier one does not take its place', async t => {
  const { withKey, store } = await gateway(t)
  const rows = keyUsesIn(store)
  const { id, call } = await withKey('acme', ['meetings:read'])
  const unused = await withKey('acme', ['meetings:read'])
  for (let i = 0; i < 2; i++) await call('GET', '/v2/meetings')
  await until(async () => (await rows.all()).has(id), 30_000)
  const used = (await rows.all()).get(id) ?? 0
  t.equal(used % hourMs, 0)
  t.ok(Date.now() - used < 2 * hourMs)
  await store.engine.write([rows.used(id, used - hourMs)])
  t.equal((await rows.all()).get(id), used)
  t.notOk((await rows.all()).has(unused.id))
})

t.test('an hour that begins while the one before is written is kept too', async t => {
  const clock = manualClock()
  const written: [string, number][] = []
  const { promise: isWritten, resolve: goOn } = Promise.withResolvers<void>()
  const rows = { used: (id: string, hour: number) => [id, hour] } as unknown as KeyUsesDeps['rows']
  const engine = {
    async write(uses: unknown[]) {
      written.push(...(uses as [string, number][]))
      await isWritten
      return []
    }
  }
  const uses = keepKeyUses({ engine, rows, log: { warn() {} }, clock, everyMs: 5 })
  uses.note('a')
  await until(() => written.length === 1)
  clock.advance(hourMs)
  uses.note('a')
  goOn()
  await until(() => written.length === 2)
  await uses.close()
  t.strictSame(
    written.map(([id, hour]) => [id, hour - (written[0]?.[1] ?? 0)]),
    [
      ['a', 0],
      ['a', hourMs]
    ]
  )
})

t.test('uses are written once an hour and key, again after a failure, and at the end', async t => {
  const { store } = await storeWithTenants(t)
  const rows = keyUsesIn(store)
  const clock = manualClock()
  const writes: number[] = []
  const warned: object[] = []
  let isBroken = true
  const uses = keepKeyUses({
    engine: {
      write(statements) {
        writes.push(statements.length)
        return isBroken ? Promise.reject(new StoreError('the disk is full')) : store.engine.write(statements)
      }
    },
    rows,
    log: { warn: facts => warned.push(facts) },
    clock,
    everyMs: 5
  })
  for (const id of ['a', 'b', 'a']) uses.note(id)
  await until(() => warned.length === 1)
  t.match(warned, [{ event: 'key_uses_unwritten' }])
  isBroken = false
  await until(async () => (await rows.all()).size === 2)
  const hour = clock.now() - (clock.now() % hourMs)
  t.strictSame([...(await rows.all())].sort(), [
    ['a', hour],
    ['b', hour]
  ])
  const before = writes.length
  uses.note('a')
  clock.advance(hourMs)
  uses.note('b')
  await uses.close()
  t.equal((await rows.all()).get('b'), hour + hourMs)
  t.equal((await rows.all()).get('a'), hour)
  t.equal(writes.length, before + 1)
})

t.test('a use that cannot be written holds up no end, also where the store hangs', async t => {
  const { store } = await storeWithTenants(t)
  for (const write of [() => Promise.reject(new StoreError('the disk is full')), () => new Promise<never>(() => {})]) {
    const uses = keepKeyUses({ engine: { write }, rows: keyUsesIn(store), log: { warn() {} }, clock: manualClock() })
    uses.note('a')
    await t.resolves(uses.close())
  }
})

t.test(
  'keys that expire within 7 days are warned of once each, and not those with a successor or a short life',
  async t => {
    const { store } = await storeWithTenants(t)
    const keys = apiKeysIn(store)
    const clock = manualClock()
    const nowMs = clock.now()
    const long = { createdAtMs: nowMs - 30 * dayMs }
    const soon = keyOf('acme', { ...long, expiresAtMs: nowMs + 6 * dayMs })
    const rotated = keyOf('acme', { ...long, expiresAtMs: nowMs + dayMs })
    const all = [
      soon,
      rotated,
      keyOf('acme', { ...long, expiresAtMs: null, predecessorId: rotated.id }),
      keyOf('acme', { ...long, expiresAtMs: nowMs + 8 * dayMs }),
      keyOf('acme', { ...long, expiresAtMs: nowMs - 1 }),
      keyOf('acme', { ...long, expiresAtMs: nowMs + dayMs, revokedAtMs: nowMs }),
      keyOf('acme', { createdAtMs: nowMs, expiresAtMs: nowMs + hourMs })
    ]
    for (const key of all) await keys.create(key)
    const warned: object[] = []
    const watch = watchExpiringKeys({ keys, log: { warn: facts => warned.push(facts) }, clock, everyMs: 5 })
    t.teardown(() => watch.close())
    await until(() => watch.some())
    t.match(warned, [{ event: 'key_expiring', key: soon.id, tenant: 'acme', expires_at: String }])
    clock.advance(2 * dayMs)
    await until(() => warned.length === 2)
    await keys.revoke(soon.id, clock.now())
    await keys.revoke(all[3]?.id ?? '', clock.now())
    await until(() => !watch.some())
    t.equal(warned.length, 2)
  }
)

t.test('/readyz warns of keys that expire soon', async t => {
  const { as } = await gateway(t, {
    async before(store) {
      const times = { createdAtMs: Date.now() - 30 * dayMs, expiresAtMs: Date.now() + dayMs }
      await apiKeysIn(store).create(keyOf('acme', times))
    }
  })
  await until(async () => (await as(null)('GET', '/readyz')).json().warnings.includes('keys_expiring'))
  t.pass()
})

t.test('a store that does not tell of them is asked again', async t => {
  const warned: object[] = []
  const keys = { expiring: () => Promise.reject(new StoreError('locked')) }
  const watch = watchExpiringKeys({ keys, log: { warn: facts => warned.push(facts) }, clock: manualClock() })
  await until(() => warned.length === 1)
  t.match(warned, [{ event: 'key_expiry_unknown' }])
  t.notOk(watch.some())
  watch.close()
})
