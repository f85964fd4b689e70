import { randomUUID } from 'node:crypto'
import t from 'tap'
import { operations as kinds, type OperationKind } from '../../../src/domain/operation.ts'
import type { Store } from '../../../src/store/store.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { type OperationEnd, operationsIn } from '../../../src/store/tables/operations.ts'
import { sentOperation } from '../../support/broadcast/reconciling.ts'
import { commandLine, refused, runHere } from '../../support/cli.ts'
import { manualClock } from '../../support/clock.ts'
import { addTenant, type TestContext } from '../../support/gateway.ts'
import { openAtHome, openStoreHere } from '../../support/store.ts'

const sentAtMs = Date.parse('2026-03-01T10:00:00.000Z')
const secondsAgo = (seconds: number): number => sentAtMs - seconds * 1_000

/** A command line on a store with an operation for each word: kind, seconds ago, how it ended. */
async function world(t: TestContext, ...told: [id: string, OperationKind, number, OperationEnd['state'], string?][]) {
  const cli = commandLine(t)
  const store = await openStoreHere(cli.storeFile)
  t.teardown(() => store.close())
  await addTenant(store, 'acme', 'm1')
  await addTenant(store, 'globex', 'm2')
  const operations = operationsIn(store)
  for (const [id, kind, ago, state, tenantId = 'acme'] of told) {
    const meetingId = kind === 'create_meeting' ? null : tenantId === 'acme' ? 'm1' : 'm2'
    const row = { id, tenantId, meetingId, sentAtMs: secondsAgo(ago), requestId: `request-${id}` }
    const livestreamId = state === 'done' && kind === 'start' ? 'a1' : null
    await store.engine.write([operations.sent(sentOperation(kind, manualClock(), row))])
    if (state !== 'sent')
      await store.engine.write([operations.ended(id, { state, livestreamId }, secondsAgo(ago) + 500)])
  }
  return { ...cli, store, operations }
}

async function eventsOf(store: Store) {
  const query = store.sql.selectFrom('audit_events').select('event').orderBy('seq')
  return (await store.engine.read(query.compile())).map(({ event }) => JSON.parse(event))
}

t.test('operations are listed, the newest first; with --open only those whose outcome is not known', async t => {
  const { json, run } = await world(
    t,
    ['o1', 'start', 60, 'done'],
    ['o2', 'stop', 50, 'unknown'],
    ['o3', 'start', 40, 'failed', 'globex'],
    ['o4', 'start', 30, 'sent', 'globex'],
    ['o5', 'create_meeting', 20, 'unknown']
  )
  const ids = async (...args: string[]): Promise<string[]> =>
    (await json('operation', 'list', ...args)).map(({ id }: { id: string }) => id)
  t.strictSame(await ids(), ['o5', 'o4', 'o3', 'o2', 'o1'])
  t.strictSame(await ids('--open'), ['o5', 'o4', 'o2'])
  t.strictSame(await ids('--tenant', 'globex'), ['o4', 'o3'])
  t.strictSame(await ids('--tenant', 'globex', '--open'), ['o4'])
  t.strictSame(await ids('--limit', '2'), ['o5', 'o4'])
  t.strictSame(await ids('--limit', '1', '--open', '--tenant', 'acme'), ['o5'])

  t.strictSame((await json('operation', 'list', '--tenant', 'acme')).at(-1), {
    id: 'o1',
    tenant_id: 'acme',
    kind: 'start',
    meeting_id: 'm1',
    livestream_id: 'a1',
    state: 'done',
    request_id: 'request-o1',
    sent_at: '2026-03-01T09:59:00.000Z',
    settled_at: '2026-03-01T09:59:00.500Z'
  })
  t.equal(
    (await run('operation', 'list', '--open')).stdout,
    [
      'id  tenant  kind            meeting  state    sent',
      'o5  acme    create_meeting  -        unknown  2026-03-01T09:59:40Z',
      'o4  globex  start           m2       sent     2026-03-01T09:59:30Z',
      'o2  acme    stop            m1       unknown  2026-03-01T09:59:10Z\n'
    ].join('\n')
  )
})

t.test('one is shown with all that is known of it, but for what its key was', async t => {
  const { json, run, store, operations } = await world(t, ['o1', 'start', 60, 'unknown'])
  const idempotency = { keyFingerprint: 'digest-of-key', requestFingerprint: 'digest-of-request' }
  const vendorAtMs = sentAtMs + 1_500
  const row = { id: 'o2', sentAtMs, vendorAtMs, requestId: 'request-o2', idempotency }
  const answer = { status: 502, body: { error: { code: 502, type: 'upstream_refused', message: '', request_id: '' } } }
  const end = { state: 'failed', answer, upstreamStatus: 400, reason: 'Maximum number of livestreams reached' } as const
  await store.engine.write([
    operations.sent(sentOperation('stop', manualClock(), row)),
    operations.ended('o2', end, sentAtMs + 2_000)
  ])
  await store.engine.write([operations.sentAgain('o1', sentAtMs)])
  const told = {
    id: 'o2',
    tenant_id: 'acme',
    kind: 'stop',
    meeting_id: 'm1',
    livestream_id: null,
    state: 'failed',
    request_id: 'request-o2',
    sent_at: '2026-03-01T10:00:00.000Z',
    settled_at: '2026-03-01T10:00:02.000Z',
    upstream: 'default',
    key_id: 'k1',
    has_idempotency_key: true,
    vendor_at: '2026-03-01T10:00:01.500Z',
    sent_again_at: null,
    open_start_id: 'o1',
    cause: null,
    upstream_status: 400,
    reason: 'Maximum number of livestreams reached'
  }
  t.strictSame(await json('operation', 'show', 'o2'), { ...told, answer })
  const start = await json('operation', 'show', 'o1')
  const sent_again_at = '2026-03-01T10:00:00.000Z'
  t.match(start, { sent_again_at, has_idempotency_key: false, vendor_at: null, reason: null, answer: null })
  const { stdout } = await run('operation', 'show', 'o2')
  t.strictSame(
    stdout
      .trimEnd()
      .split('\n')
      .map(line => line.split(/ {2,}/)),
    [
      ['field', 'value'],
      ...Object.entries({ ...told, answer_status: 502 }).map(([name, value]) => [name, `${value ?? '-'}`])
    ]
  )
  t.notMatch(stdout, /digest/)
  const nobody = await run('operation', 'show', 'o3')
  t.strictSame([nobody.code, refused(nobody)], [1, 'there is no operation o3'])
})

t.test('a list without operations says so', async t => {
  const { run, json } = await world(t, ['o1', 'stop', 1, 'done'])
  t.equal((await run('operation', 'list', '--open')).stdout, 'no open operations\n')
  t.equal((await run('operation', 'list', '--tenant', 'globex')).stdout, 'no operations\n')
  t.strictSame(await json('operation', 'list', '--open'), [])
})

t.test('a list that is asked for wrongly is refused', async t => {
  const { run } = await world(t)
  for (const limit of ['0', '-1', '1.5', 'many', '', '1000000', '01', ' 1']) {
    const outcome = await run('operation', 'list', `--limit=${limit}`)
    t.equal(outcome.code, 2, limit)
    t.equal(refused(outcome), '--limit must be a whole number from 1 to 999999')
  }
  const nobody = await run('operation', 'list', '--tenant', 'nobody')
  t.equal(nobody.code, 1)
  t.equal(refused(nobody), 'there is no tenant nobody')
})

for (const state of ['done', 'failed'] as const) {
  t.test(`an operation is resolved as ${state}: it is settled, and who did it is on record`, async t => {
    const { run, json, store, operations } = await world(
      t,
      ['o1', 'start', 60, 'unknown'],
      ['o2', 'stop', 50, 'unknown']
    )
    t.equal((await run('operation', 'resolve', 'o1', state)).stdout, `resolved o1: ${state}\n`)
    const shown = await json('operation', 'resolve', 'o2', state)
    t.match(shown, { id: 'o2', kind: 'stop', state, meeting_id: 'm1', request_id: 'request-o2' })
    t.ok(Math.abs(Date.parse(shown.settled_at) - Date.now()) < 60_000)
    t.strictSame(await json('operation', 'list', '--open'), [])
    t.strictSame((await json('operation', 'list'))[0], shown)
    t.equal(await operations.openStart('m1'), null, 'its meeting is free again')
    const error = { code: 409, type: 'operation_resolved', request_id: 'request-o1' }
    t.match((await operations.find('o1'))?.answer, { status: 409, body: { error } })

    const events = await eventsOf(store)
    t.match(events, [
      {
        api: { operation: kinds.start.action },
        metadata: { correlation_uid: 'request-o1' },
        actor: { user: { type: 'Operator', uid: String } },
        src_endpoint: { name: 'command line' },
        resources: [{ type: 'meeting', uid: 'm1' }],
        unmapped: { outcome: state, tenant_id: 'acme', key_id: 'k1' }
      },
      {
        api: { operation: 'resolveOperation' },
        actor: { user: { type: 'Operator', uid: String } },
        resources: [{ type: 'operation', uid: 'o1' }],
        unmapped: { outcome: 'done', tenant_id: 'acme' }
      },
      { api: { operation: kinds.stop.action }, metadata: { correlation_uid: 'request-o2' } },
      { api: { operation: 'resolveOperation' }, resources: [{ type: 'operation', uid: 'o2' }] }
    ])
    t.equal(events.length, 4)
    const head = auditEventsIn(store)
    const rows = await store.engine.read(store.sql.selectFrom('audit_checkpoints').selectAll().compile())
    const { seq } = head.toHead((await store.engine.write([head.headQuery()]))[0] ?? []) ?? {}
    t.equal(rows.at(-1)?.seq, seq, 'and signed')
  })
}

t.test('a repetition is ended as that: nobody says that what it was to stop has ended', async t => {
  const { run, json, store, operations } = await world(
    t,
    ['o1', 'stop', 60, 'unknown'],
    ['o2', 'start', 50, 'unknown'],
    ['o3', 'disable_livestream', 40, 'unknown']
  )
  for (const id of ['o1', 'o3']) {
    const { stdout } = await run('operation', 'resolve', id, 'stop-repeating')
    t.equal(stdout, `resolved ${id}: stop-repeating\n`)
    t.match(await operations.find(id), {
      state: 'failed',
      answer: { status: 409, body: { error: { type: 'operation_resolved', message: /may go on/ } } }
    })
  }
  const refusedStart = await run('operation', 'resolve', 'o2', 'stop-repeating')
  t.strictSame([refusedStart.code, refused(refusedStart)], [1, 'o2 is not repeated: say done or failed'])
  t.match(await json('operation', 'list', '--open'), [{ id: 'o2' }])
  const [first] = await eventsOf(store)
  t.match(first, { status_detail: 'repetition_ended', unmapped: { outcome: 'failed' } })
})

for (const [outcome, isLeft] of [
  ['stop-repeating', false],
  ['failed', false],
  ['done', true]
] as const)
  t.test(
    `a stop that was confirmed is ${isLeft ? '' : 'not '}followed after a restart when a person ends a later one as ${outcome}`,
    async t => {
      const { run, store, operations } = await world(t, ['o1', 'stop', 60, 'sent'], ['o2', 'stop', 50, 'unknown'])
      await store.engine.write([operations.ended('o1', { state: 'done', confirmed: { vendorAtMs: null } }, Date.now())])
      await run('operation', 'resolve', 'o2', outcome)
      t.equal((await operations.settledSince(Date.now() - 60_000)).length, isLeft ? 1 : 0)
    }
  )

t.test('an operation that cannot be resolved is refused with its reason, and stays as it is', async t => {
  const { run, json, store } = await world(
    t,
    ['o1', 'start', 60, 'done'],
    ['o2', 'stop', 50, 'failed'],
    ['o3', 'start', 40, 'sent']
  )
  const before = await json('operation', 'list')
  const id = randomUUID()
  const wrong: [args: string[], code: number, says: string][] = [
    [[id, 'done'], 1, `there is no operation ${id}`],
    [['o1', 'failed'], 1, 'o1 is settled: done'],
    [['o1', 'done'], 1, 'o1 is settled: done'],
    [['o2', 'done'], 1, 'o2 is settled: failed'],
    [['o3', 'failed'], 1, 'o3 is under way: a gateway must serve, or have restarted, first'],
    [['o3', 'Failed'], 2, 'the outcome must be done, failed or stop-repeating'],
    [['o3', 'unknown'], 2, 'the outcome must be done, failed or stop-repeating'],
    [['o3', 'stop-repeating'], 1, 'o3 is under way: a gateway must serve, or have restarted, first'],
    [['o3'], 2, "missing required argument 'outcome'"]
  ]
  for (const [args, code, says] of wrong) {
    const outcome = await run('operation', 'resolve', ...args)
    t.strictSame([outcome.code, refused(outcome)], [code, says], args.join(' '))
  }
  t.strictSame(await json('operation', 'list'), before)
  t.strictSame(await eventsOf(store), [])
})

t.test('an operation that the gateway settles in the same moment is left as the gateway has settled it', async t => {
  const { env, store, operations } = await world(t, ['o1', 'start', 60, 'unknown'])
  const faster = async (...[home]: Parameters<typeof openAtHome>): Promise<Store> => {
    const theirs = await openAtHome(home)
    const { engine } = theirs
    const write: typeof engine.write = async (statements, options) => {
      if (statements.some(({ sql }) => sql.startsWith('update "operations"'))) {
        await store.engine.write([operations.ended('o1', { state: 'done', livestreamId: 'a1' }, sentAtMs)])
      }
      return engine.write(statements, options)
    }
    return { ...theirs, engine: { ...engine, write } }
  }
  const outcome = await runHere(['operation', 'resolve', 'o1', 'failed'], env, faster)
  t.equal(outcome.code, 1)
  t.equal(refused(outcome), 'o1 has just been settled by the gateway')
  t.match(await operations.find('o1'), { state: 'done', livestreamId: 'a1', answer: null })
  t.strictSame(await eventsOf(store), [], 'and nobody is on record as having done it')
})
