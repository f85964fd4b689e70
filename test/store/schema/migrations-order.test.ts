import { join } from 'node:path'
import { sql as raw } from 'kysely'
import t from 'tap'
import type { Operation } from '../../../src/domain/operation.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { engineOfVersion, operationOf } from '../../support/store/helper.ts'
import { openStoreHere, sqlOfStores } from '../../support/store.ts'

const sql = sqlOfStores()

/** Rows of version 5: their times are all that is known of the order. */
const left: [id: string, kind: string, state: string, sentAtMs: number, settledAtMs: number | null][] = [
  ['start-2', 'start', 'unknown', 5_000, null],
  ['stop-1', 'stop', 'unknown', 2_000, null],
  ['start-1', 'start', 'done', 1_000, 2_500],
  ['start-0', 'start', 'failed', 500, 2_500],
  ['stop-2', 'stop', 'unknown', 3_000, null],
  ['stop-3', 'stop', 'unknown', 6_000, null]
]

t.test('the operations of an older version are ordered by their times, and stops know what was open', async t => {
  const file = join(t.testdir(), 'livegate.db')
  const engine = await engineOfVersion(file, 5)
  await engine.write([
    raw`insert into tenants (id, name, upstream, created_at, revision) values ('acme', 'Acme', 'default', 0, 1)`.compile(
      sql
    ),
    ...left.map(([id, kind, state, sentAtMs, settledAtMs]) =>
      raw`insert into operations (id, tenant_id, key_id, kind, meeting_id, state, request_id, sent_at, settled_at)
        values (${id}, 'acme', 'k1', ${kind}, 'm1', ${state}, 'r1', ${sentAtMs}, ${settledAtMs})`.compile(sql)
    )
  ])
  await engine.close()

  const store = await openStoreHere(file)
  t.teardown(() => store.close())
  const operations = operationsIn(store)
  const find = async (id: string) => (await operations.find(id)) as Operation
  const rows = await store.engine.read(store.sql.selectFrom('operations').select(['id', 'ordinal']).compile())
  const order = rows.sort((a, b) => Number(a.ordinal) - Number(b.ordinal)).map(({ id }) => id)
  t.strictSame(order, ['start-0', 'start-1', 'stop-1', 'stop-2', 'start-2', 'stop-3'])
  t.match(await operations.unconfirmedStops({ id: 'm1', upstream: 'default' }), [
    { id: 'stop-1', openStartId: 'start-1' },
    { id: 'stop-2', openStartId: null },
    { id: 'stop-3', openStartId: 'start-2' }
  ])
  t.ok(await operations.laterStart(await find('stop-2')))
  t.notOk(await operations.laterStart(await find('stop-3')))

  await store.engine.write([operations.ended('start-2', { state: 'done' }, 7_000)])
  await store.engine.write([operations.sent(operationOf('acme', { sentAtMs: 100 }))])
  t.ok(await operations.laterStart(await find('stop-3')), 'what is new comes after what was there')
})

t.test(
  'the livestreams of an older version are kept, and are proved by the next answer that names their meeting',
  async t => {
    const file = join(t.testdir(), 'livegate.db')
    const engine = await engineOfVersion(file, 9)
    await engine.write([
      raw`insert into tenants (id, name, upstream, created_at, revision) values ('acme', 'Acme', 'default', 0, 1)`.compile(
        sql
      ),
      raw`insert into livestreams (id, tenant_id, upstream, meeting_id, status, snapshot, created_at, observed_at, revision)
      values ('l1', 'acme', 'default', 'm1', 'LIVE', '{}', 0, 0, 1)`.compile(sql)
    ])
    await engine.close()

    const store = await openStoreHere(file)
    t.teardown(() => store.close())
    const livestreams = livestreamsIn(store)
    const found = { id: 'l1', tenantId: 'acme', upstream: 'default', meetingId: 'm1', status: 'LIVE' }
    t.strictSame(await livestreams.find('acme', 'l1'), { ...found, isProved: false })
    await livestreams.prove(found, 1_000)
    t.strictSame(await livestreams.find('acme', 'l1'), { ...found, isProved: true })
  }
)
