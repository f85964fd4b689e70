import { randomUUID } from 'node:crypto'
import type { CompiledQuery } from 'kysely'
import t, { type Test } from 'tap'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { sessionsIn } from '../../../src/store/tables/sessions.ts'
import { operationOf, storeWithTenants } from '../../support/store/helper.ts'

/** Plan by which SQLite answers a look-up. */
async function plans(t: Test) {
  const { store } = await storeWithTenants(t)
  const { engine } = store
  let asked: CompiledQuery[] = []
  const read = async <R>(query: CompiledQuery<R>): Promise<R[]> => {
    asked.push(query)
    return engine.read(query)
  }
  const watched = { ...store, engine: { ...engine, read, scan: read } }
  const writePlanOf = async ({ sql, ...query }: CompiledQuery): Promise<string[]> => {
    const explain = { ...query, sql: `explain query plan ${sql}` } as CompiledQuery<{ detail?: string }>
    return (await engine.read(explain)).map(({ detail }) => String(detail))
  }
  const planOf = async (look: () => Promise<unknown>): Promise<string[]> => {
    asked = []
    await look()
    return (await Promise.all(asked.map(writePlanOf))).flat()
  }
  return {
    operations: operationsIn(watched),
    livestreams: livestreamsIn(watched),
    meetings: meetingsIn(watched),
    sessions: sessionsIn(watched),
    planOf,
    writePlanOf
  }
}

t.test('a look-up of a start or a stop does not grow with the history of its meeting', async t => {
  const { operations, livestreams, planOf } = await plans(t)
  t.strictSame(await planOf(() => operations.openStart('m1')), [
    'SEARCH operations USING INDEX operations_open_start (meeting_id=?)'
  ])
  t.strictSame(await planOf(() => operations.unconfirmedStops({ id: 'm1', upstream: 'default' })), [
    'SEARCH operations USING INDEX operations_open (meeting_id=?)'
  ])
  const meeting = { id: 'm1', tenantId: 'acme', upstream: 'default' }
  for (const plan of [() => livestreams.lastOfMeeting(meeting), () => livestreams.lastSeenIn(meeting)])
    t.strictSame(
      await planOf(plan),
      ['SEARCH livestreams USING INDEX livestreams_last (meeting_id=?)'],
      'in the order of the index: nothing is sorted'
    )
  const stop = operationOf('acme', { kind: 'stop' })
  const itsPlace = ['SCALAR SUBQUERY 1', 'SEARCH operations USING INDEX sqlite_autoindex_operations_1 (id=?)']
  t.strictSame(await planOf(() => operations.laterStart(stop)), [
    'SEARCH operations USING INDEX operations_starts (meeting_id=? AND ordinal>?)',
    ...itsPlace
  ])
  t.strictSame(await planOf(() => operations.startsBefore(operationOf('acme', { kind: 'start' }))), [
    'SEARCH operations USING INDEX operations_starts (meeting_id=? AND ordinal<?)',
    ...itsPlace
  ])
  t.strictSame(await planOf(() => operations.hadOpenStart(stop)), [
    'SEARCH stop USING INDEX sqlite_autoindex_operations_1 (id=?)',
    'SEARCH start USING INDEX sqlite_autoindex_operations_1 (id=?)'
  ])
})

t.test('the write of an operation does not grow with the history', async t => {
  const { operations, writePlanOf } = await plans(t)
  t.strictSame(await writePlanOf(operations.sent(operationOf('acme'))), [
    'SCALAR SUBQUERY 1',
    'SEARCH operations USING COVERING INDEX operations_ordinal'
  ])
  t.strictSame(await writePlanOf(operations.sent(operationOf('acme', { kind: 'stop' }))), [
    'SCALAR SUBQUERY 1',
    'SEARCH operations USING COVERING INDEX operations_ordinal',
    'SCALAR SUBQUERY 2',
    'SEARCH operations USING INDEX operations_open_start (meeting_id=?)'
  ])
})

t.test('a UUID is found in any case, and another id as it is, without looking at others', async t => {
  const { meetings, livestreams, sessions, planOf, writePlanOf } = await plans(t)
  const id = randomUUID()
  for (const [table, find] of [
    ['meetings', meetings.find],
    ['livestreams', livestreams.find],
    ['livestream_sessions', sessions.findRun],
    ['meeting_sessions', sessions.findSession]
  ] as const) {
    t.strictSame(await planOf(() => find('acme', id.toUpperCase())), [
      `SEARCH ${table} USING INDEX ${table}_spelling (<expr>=?)`
    ])
    t.strictSame(await planOf(() => find('acme', 'Show_1')), [
      `SEARCH ${table} USING INDEX sqlite_autoindex_${table}_1 (id=?)`
    ])
  }
  t.match(await planOf(() => meetings.asStored([id, randomUUID()])), [/meetings_spelling \(<expr>=\?\)/])
  const owner = { id, tenantId: 'acme', upstream: 'default', meetingId: null }
  const [, sighting] = livestreams.observed(owner, { id, status: 'LIVE' }, 1_000)
  const plan = sighting === undefined ? [] : await writePlanOf(sighting)
  t.ok(plan.some(step => /livestreams_spelling \(<expr>=\?\)/.test(step)))
  t.notOk(plan.some(step => step.startsWith('SCAN livestreams')))
})

t.test('open operations are found without looking at settled ones', async t => {
  const { operations, planOf } = await plans(t)
  for (const look of [operations.unsettled, operations.meetingsWithOpenStart]) {
    const [first = ''] = await planOf(look)
    t.match(first, /^SCAN operations USING INDEX operations_open/)
  }
})

t.test('operations settled a moment ago are found without looking at those settled before', async t => {
  const { operations, planOf } = await plans(t)
  t.strictSame(await planOf(() => operations.settledSince(1_000)), [
    'SEARCH operations USING INDEX operations_settled (settled_at>?)',
    'USE TEMP B-TREE FOR ORDER BY'
  ])
})

t.test(
  'the confirmed stop whose run is wanted after all is found without looking at what was settled before',
  async t => {
    const { operations, writePlanOf } = await plans(t)
    t.match(await writePlanOf(operations.overruled({ id: 'm1', upstream: 'default' }, 1_000)), [
      /USING INDEX operations_settled \(settled_at>\?\)/
    ])
  }
)

t.test('a key, and a later switch, are found by what only has those rows', async t => {
  const { operations, planOf } = await plans(t)
  t.match(await planOf(() => operations.findByKey('f1')), [/USING INDEX operations_idempotency \(idempotency_/])
  const later = await planOf(() => operations.laterSwitch(operationOf('acme', { livestreamId: 'l1' })))
  t.match(later[0], /operations_switches/)
})
