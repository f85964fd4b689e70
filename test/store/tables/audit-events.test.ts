import t from 'tap'
import { chainHash, noHash } from '../../../src/domain/audit/audit-chain.ts'
import { Conflict } from '../../../src/store/engine/engine.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import fc from '../../support/runner/properties.ts'
import { eventOf, refusalOf, storeWithTenants } from '../../support/store/helper.ts'

async function world(t: Parameters<typeof storeWithTenants>[0]) {
  const { store } = await storeWithTenants(t)
  const events = auditEventsIn(store)
  const append = (...appended: ReturnType<typeof eventOf>[]) => store.engine.write(appended.map(events.append))
  return { store, events, append }
}

t.test('events are numbered without gaps, also after a transaction that came to nothing', async t => {
  const { store, events, append } = await world(t)
  await append(eventOf(), eventOf({ tenantId: 'globex' }))
  const broken = { ...events.append(eventOf()), changes: 2 }
  t.match(await refusalOf(store.engine.write([events.append(eventOf()), broken])), {
    constructor: Conflict
  })
  await append(eventOf({ tenantId: null }))
  const rows = await store.engine.read(store.sql.selectFrom('audit_events').selectAll().orderBy('seq').compile())
  t.strictSame(
    rows.map(({ seq, tenant_id }) => [seq, tenant_id]),
    [
      [1, 'acme'],
      [2, 'globex'],
      [3, null]
    ]
  )
})

t.test('the columns beside an event say what the event says', async t => {
  const { store, append } = await world(t)
  const event = eventOf({ requestId: 'r9' }, { outcome: 'refused', status: 404, type: 'meeting_not_found' }, 5_000)
  await append(event)
  const [row] = await store.engine.read(store.sql.selectFrom('audit_events').selectAll().compile())
  t.strictSame(row, {
    seq: 1,
    time: 5_000,
    tenant_id: 'acme',
    action: 'startLivestream',
    outcome: 'refused',
    request_id: 'r9',
    event: JSON.stringify(event),
    prev_hash: noHash,
    hash: chainHash(noHash, JSON.stringify(event))
  })
})

t.test('a tenant sees its own events, the newest first, as they were written', async t => {
  const { events, append } = await world(t)
  const mine = [eventOf({ requestId: 'r1' }), eventOf({ requestId: 'r2' })]
  await append(...mine, eventOf({ tenantId: 'globex' }), eventOf({ tenantId: null }))
  t.strictSame(await events.list('acme', { limit: 10 }), [
    { seq: 2, event: mine[1] },
    { seq: 1, event: mine[0] }
  ])
  t.strictSame(await events.list('nobody', { limit: 10 }), [])
})

t.test('each filter alone and all together; since is included, until is not', async t => {
  const { events, append } = await world(t)
  await append(
    eventOf({}, { outcome: 'pending' }, 1_000),
    eventOf({}, { outcome: 'done' }, 2_000),
    eventOf({ action: 'stopLivestream' }, { outcome: 'done' }, 3_000)
  )
  const seqs = async (filter: Partial<Parameters<typeof events.list>[1]>) =>
    (await events.list('acme', { limit: 10, ...filter })).map(({ seq }) => seq)
  t.strictSame(await seqs({ action: 'startLivestream' }), [2, 1])
  t.strictSame(await seqs({ outcome: 'done' }), [3, 2])
  t.strictSame(await seqs({ sinceMs: 2_000 }), [3, 2])
  t.strictSame(await seqs({ untilMs: 2_000 }), [1])
  t.strictSame(await seqs({ beforeSeq: 3 }), [2, 1])
  t.strictSame(await seqs({ limit: 1 }), [3])
  const all = { action: 'startLivestream', outcome: 'done', sinceMs: 1_000, untilMs: 3_000, beforeSeq: 3 }
  t.strictSame(await seqs(all), [2])
  t.strictSame(await seqs({ action: "x' or '1'='1" }), [])
})

t.test('paging never skips or repeats an event, however many are added meanwhile', async t => {
  const { events, append } = await world(t)
  const added = fc.array(fc.constantFrom('acme', 'globex'), { maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(added, { minLength: 3, maxLength: 6 }),
      async (limit, waves) => {
        await append(...waves.flat().map(tenantId => eventOf({ tenantId })), eventOf())
        const wanted = (await events.list('acme', { limit: 100_000 })).map(({ seq }) => seq).slice(0, 3 * limit)
        const seen: number[] = []
        let beforeSeq: number | undefined
        for (let i = 0; seen.length < wanted.length; i++) {
          const page = await events.list('acme', { limit, beforeSeq })
          if (page.length === 0) return false
          seen.push(...page.map(({ seq }) => seq))
          beforeSeq = page.at(-1)?.seq
          const more = waves[i % waves.length] ?? []
          if (more.length > 0) await append(...more.map(tenantId => eventOf({ tenantId })))
        }
        return seen.slice(0, wanted.length).join() === wanted.join()
      }
    ),
    { numRuns: 25 }
  )
  t.pass('every list was covered once')
})
