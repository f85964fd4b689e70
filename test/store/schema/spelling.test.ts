import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { sql as raw } from 'kysely'
import t, { type Test } from 'tap'
import { Conflict, type Engine, StoreError, UniqueViolation } from '../../../src/store/engine/engine.ts'
import { openDirectory } from '../../../src/store/memory/directory.ts'
import type { spelledTables } from '../../../src/store/schema/spelling.ts'
import { tablesThen } from '../../../src/store/schema/steps/01-10/08-one-spelling.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { sessionsIn } from '../../../src/store/tables/sessions.ts'
import { engineOfVersion, refusalOf, storeWithTenants } from '../../support/store/helper.ts'
import { openEmptyEngine, openStore, sqlOfStores } from '../../support/store.ts'

/** A UUID that has letters, as some vendors write it and as others do. */
function bothCases(): { lower: string; upper: string } {
  const lower = randomUUID().replace(/^./, 'a')
  return { lower, upper: lower.toUpperCase() }
}

async function world(t: Test) {
  const { store } = await storeWithTenants(t)
  const ids = async (table: (typeof spelledTables)[number]) =>
    (await store.engine.read(store.sql.selectFrom(table).select('id').compile())).map(({ id }) => id)
  return { store, ids, meetings: meetingsIn(store), livestreams: livestreamsIn(store), sessions: sessionsIn(store) }
}

t.test('a UUID is found in any case, and given as it is stored; any other id as it is', async t => {
  const { meetings, livestreams, sessions, store } = await world(t)
  for (const how of ['lower', 'upper'] as const) {
    const [meeting, livestream, run, session] = [bothCases(), bothCases(), bothCases(), bothCases()]
    await meetings.assign('acme', 'default', [meeting[how]], 1_000)
    const owner = { id: livestream[how], tenantId: 'acme', upstream: 'default', meetingId: meeting[how] }
    await livestreams.observe(owner, { id: livestream[how], status: 'LIVE' }, 2_000)
    await store.engine.write([
      sessions.runSeen(owner, { id: run[how] }, 2_000),
      sessions.sessionSeen({ ...owner, id: meeting[how] }, session[how], 2_000)
    ])
    for (const asked of ['lower', 'upper'] as const) {
      t.match(await meetings.find('acme', meeting[asked]), { id: meeting[how] })
      t.match(await meetings.ownerOf(meeting[asked]), { id: meeting[how], tenantId: 'acme' })
      t.equal(await meetings.upstreamOf(meeting[asked]), 'default')
      t.match(await livestreams.find('acme', livestream[asked]), { id: livestream[how], meetingId: meeting[how] })
      t.match(await livestreams.meetingOf(livestream[asked]), { meetingId: meeting[how] })
      t.match(await sessions.findRun('acme', run[asked]), { id: run[how], livestreamId: livestream[how] })
      t.match(await sessions.findSession('acme', session[asked]), { id: session[how], meetingId: meeting[how] })
      t.equal(await meetings.find('globex', meeting[asked]), null, 'and by nobody else')
    }
  }
  await meetings.assign('acme', 'default', ['Show_1'], 1_000)
  await meetings.assign('globex', 'default', ['show_1'], 1_000)
  t.match(await meetings.find('acme', 'Show_1'), { id: 'Show_1' })
  t.match(await meetings.find('globex', 'show_1'), { id: 'show_1' })
  for (const id of ['show_1', 'SHOW_1']) t.equal(await meetings.find('acme', id), null)
})

t.test('an id that looks like a UUID and is none is another id in another case', async t => {
  const { meetings } = await world(t)
  const { lower } = bothCases()
  for (const id of [`${lower}0`, `g${lower.slice(1)}`, lower.replaceAll('-', '_'), lower.replaceAll('-', '')]) {
    await meetings.assign('acme', 'default', [id], 1_000)
    t.equal(await meetings.find('acme', id.toUpperCase()), null, id)
    await meetings.assign('globex', 'default', [id.toUpperCase()], 1_000)
    t.match(await meetings.find('globex', id.toUpperCase()), { id: id.toUpperCase() })
  }
})

t.test('an id in another case is written to the row that is there', async t => {
  const { meetings, livestreams, sessions, store, ids } = await world(t)
  const [meeting, livestream, run, session] = [bothCases(), bothCases(), bothCases(), bothCases()]
  const ours = (id: string) => ({ id, tenantId: 'acme', upstream: 'default' })
  for (const how of ['upper', 'lower', 'upper'] as const) {
    await store.engine.write(meetings.created(ours(meeting[how]), { id: meeting[how], title: how }, 1_000))
    await store.engine.write(meetings.observed('acme', { id: meeting[how], title: `seen ${how}` }, 1_000))
    const owner = { ...ours(livestream[how]), meetingId: meeting.upper }
    await livestreams.observe(owner, { id: livestream[how], status: how === 'lower' ? 'LIVE' : 'IDLE' }, 1_000)
    await store.engine.write([
      sessions.runSeen({ ...owner, id: livestream.upper }, { id: run[how] }, 1_000),
      sessions.sessionSeen(ours(meeting.upper), session[how], 1_000)
    ])
    const { rows } = await meetings.list('acme', { pageNo: 1, perPage: 10 })
    t.match(rows, [{ id: meeting.upper, meeting: { id: meeting.upper, title: `seen ${how}` } }])
    t.match(await livestreams.find('acme', livestream.lower), { status: how === 'lower' ? 'LIVE' : 'IDLE' })
  }
  t.strictSame(await ids('meetings'), [meeting.upper])
  t.strictSame(await ids('livestreams'), [livestream.upper])
  t.strictSame(await ids('livestream_sessions'), [run.upper])
  t.strictSame(await ids('meeting_sessions'), [session.upper])
  const made = refusalOf(
    store.engine.write(
      livestreams.created(
        { ...ours(livestream.lower), meetingId: null },
        { id: livestream.lower, status: 'OFFLINE' },
        1_000
      )
    )
  )
  t.match(await made, { constructor: Conflict }, 'a new one that is known is not made anew')
  t.equal((await ids('livestreams')).length, 1)
})

t.test('ids that somebody has typed are those that are stored, each once', async t => {
  const { meetings } = await world(t)
  const [known, released, unknown] = [bothCases(), bothCases(), bothCases()]
  await meetings.assign('acme', 'default', [known.upper, released.upper], 1_000)
  await meetings.release(released.upper, 2_000)
  const typed = [known.lower, known.upper, released.lower, unknown.upper, unknown.lower, 'Show_1']
  t.strictSame(await meetings.asStored(typed), [known.upper, released.upper, unknown.lower, 'Show_1'])
})

t.test('the store itself holds no two of them', async t => {
  const { store } = await world(t)
  const { lower, upper } = bothCases()
  const put = (id: string) =>
    store.engine.write([
      raw`insert into meetings (id, tenant_id, upstream, created_at, revision) values (${id}, 'acme', 'default', 0, 1)`.compile(
        store.sql
      )
    ])
  await put(lower)
  t.match(await refusalOf(put(upper)), { constructor: UniqueViolation })
})

t.test('memory knows one id in both cases, and forgets it in both', async t => {
  const { store, meetings } = await world(t)
  const { lower, upper } = bothCases()
  await meetings.assign('acme', 'default', [lower], 1_000)
  let asked = 0
  const read: Engine['read'] = query => {
    asked += 1
    return store.engine.read(query)
  }
  const directory = await openDirectory({ ...store, engine: { ...store.engine, read } }, { monotonic: () => 0 })
  asked = 0
  for (const id of [upper, lower, upper]) t.match(await directory.meeting('acme', id), { id: lower })
  t.equal(asked, 0, 'nothing is asked for what is known, in whatever case')
  t.match(directory.remembered.meeting(upper), { tenantId: 'acme' })
  await meetings.release(lower, 2_000)
  await directory.pull()
  for (const id of [upper, lower]) t.equal(await directory.meeting('acme', id), null)
})

for (const table of tablesThen) {
  t.test(`an older store with two such ${table} is left as it is, and both are named`, async t => {
    const file = join(t.testdir(), 'livegate.db')
    const { lower, upper } = bothCases()
    const before = await engineOfVersion(file, 5)
    const sql = sqlOfStores()
    const put = (id: string) => {
      const values = { id, tenant_id: 'acme', revision: 1, observed_at: 0, created_at: 0, upstream: 'default' }
      const rows = {
        meetings: values,
        livestreams: { ...values, status: 'IDLE', snapshot: '{}' },
        livestream_sessions: {
          id,
          tenant_id: 'acme',
          livestream_id: 'l',
          began_at: 0,
          ingest_seconds: 0,
          viewer_seconds: 0,
          observed_at: 0
        },
        meeting_sessions: { id, tenant_id: 'acme', meeting_id: 'm', observed_at: 0 }
      }
      return sql
        .insertInto(table)
        .values(rows[table] as never)
        .compile()
    }
    await before.write([
      raw`insert into tenants (id, name, upstream, created_at, revision) values ('acme', 'Acme', 'default', 0, 1)`.compile(
        sql
      ),
      put(lower),
      put(upper)
    ])
    await before.close()

    const refused = (await refusalOf(openStore(file))) as StoreError
    t.equal(refused.constructor, StoreError)
    for (const text of [lower, upper, table, 'nothing was changed']) t.ok(refused.reason.includes(text), refused.reason)

    const again = await openEmptyEngine(file)
    const [version] = await again.read(
      sql.selectFrom('meta').select('value').where('name', '=', 'schema_version').compile()
    )
    t.equal(version?.value, '5')
    await again.write([sql.deleteFrom(table).where('id', '=', upper).compile()])
    await again.close()
    const store = await openStore(file)
    t.teardown(() => store.close())
    t.strictSame(await store.engine.read(store.sql.selectFrom(table).select('id').compile()), [{ id: lower }])
  })
}
