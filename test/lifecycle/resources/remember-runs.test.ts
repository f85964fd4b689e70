import t from 'tap'
import type { LivestreamSession } from '../../../src/domain/livestream.ts'
import { rememberRunsIn } from '../../../src/lifecycle/resources/remember.ts'
import { sessionsIn } from '../../../src/store/tables/sessions.ts'
import { manualClock } from '../../support/clock.ts'
import { storeWithTenants } from '../../support/store/helper.ts'

const owner = { id: 'l1', tenantId: 'acme', upstream: 'default', meetingId: null }
const run = (how: Partial<LivestreamSession> = {}): LivestreamSession => ({ id: 'r1', livestream_id: 'l1', ...how })

t.test('a run is written when it is new and when it has ended, and while it goes on not at each look', async t => {
  const { store } = await storeWithTenants(t)
  const sessions = sessionsIn(store)
  let writes = 0
  const write: typeof store.engine.write = statements => {
    writes++
    return store.engine.write(statements)
  }
  const rememberRuns = rememberRunsIn({ engine: { write }, sessions, log: { warn() {} }, clock: manualClock() })
  const look = async (how: Partial<LivestreamSession> = {}) => {
    await rememberRuns(owner, [run(how)])
    return writes
  }
  t.equal(await look({ ingest_seconds: 1 }), 1)
  t.match(await sessions.findRun('acme', 'r1'), { id: 'r1', tenantId: 'acme', livestreamId: 'l1' })
  t.equal(await sessions.findRun('globex', 'r1'), null)
  t.equal(await look({ ingest_seconds: 2 }), 1)
  const over = { stopped_time: '2026-01-05T10:00:00.000Z', ingest_seconds: 3, viewer_seconds: 2.5 }
  t.equal(await look(over), 2)
  t.equal(await look(over), 2)
  t.equal(await look({ ...over, ingest_seconds: 4 }), 3, 'figures that come late are kept too')
  t.equal(await look({ id: '../r2' }), 3, 'an id that no path could hold is nobody is')
  const rows = await store.engine.read(store.sql.selectFrom('livestream_sessions').selectAll().compile())
  t.match(rows, [{ id: 'r1', livestream_id: 'l1', ingest_seconds: 4, viewer_seconds: 2.5 }])
})

t.test(
  'a run of another livestream, or one that another tenant was shown, does not change hands by its id alone',
  async t => {
    const { store } = await storeWithTenants(t)
    const sessions = sessionsIn(store)
    const clock = manualClock()
    const rememberRuns = () => rememberRunsIn({ engine: store.engine, sessions, log: { warn() {} }, clock })
    await rememberRuns()(owner, [run()])
    await rememberRuns()({ ...owner, tenantId: 'globex' }, [run({ ingest_seconds: 9 })])
    await rememberRuns()({ ...owner, id: 'l2' }, [run({ ingest_seconds: 9 })])
    const rows = await store.engine.read(store.sql.selectFrom('livestream_sessions').selectAll().compile())
    t.match(rows, [{ id: 'r1', tenant_id: 'acme', livestream_id: 'l1', ingest_seconds: 0 }])
    t.equal(rows.length, 1)
  }
)

t.test('a store that does not take it fails nobody: the log says so, and the next look tries again', async t => {
  const { store } = await storeWithTenants(t)
  const warned: string[] = []
  let broken = true
  const rememberRuns = rememberRunsIn({
    engine: { write: statements => (broken ? Promise.reject(new Error('full')) : store.engine.write(statements)) },
    sessions: sessionsIn(store),
    log: { warn: (_facts, message) => warned.push(message) },
    clock: manualClock()
  })
  await rememberRuns(owner, [run()])
  t.match(warned, ['what was seen of the runs of a livestream could not be kept'])
  broken = false
  await rememberRuns(owner, [run()])
  t.match(await sessionsIn(store).findRun('acme', 'r1'), { id: 'r1' })
})
