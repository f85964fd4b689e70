import t from 'tap'
import { type Run, type RunNews, runEventTypes, runStatuses } from '../../src/domain/runs/run.ts'
import { isOpenRun, moveRun, moveRuns } from '../../src/domain/runs/run-moves.ts'
import { gone, how, refused, seen, sent, session, started, stopped } from '../support/ledger/news.ts'
import fc, { runs as times } from '../support/runner/properties.ts'

const atMs = fc.integer({ min: 0, max: 120_000 })
const livestream = fc.constantFrom('ls-1', 'ls-2')
const operation = fc.constantFrom('op-1', 'op-2')
const anySession = fc.option(
  fc
    .tuple(fc.constantFrom('s1', 's2', 's3'), atMs, fc.option(atMs), fc.option(atMs))
    .map(([id, invokedAtMs, startedAtMs, stoppedAtMs]) => session(id, invokedAtMs, { startedAtMs, stoppedAtMs }))
)
const status = fc.constantFrom('INVOKED', 'LIVE', 'IDLE', 'OFFLINE', 'ERRORED', 'ANOTHER')
const tenantId = fc.constantFrom('acme', 'acme', 'acme', 'globex')

/** News of every kind, at any time, in any order: whatever a vendor, a crash and a clock can make of it. */
const anyNews: fc.Arbitrary<RunNews> = fc.oneof(
  fc.tuple(atMs, operation).map(([at, id]) => sent(at, id)),
  fc.tuple(atMs, livestream, operation).map(([at, id, by]) => started(at, id, by)),
  fc.tuple(atMs, operation).map(([at, id]) => refused(at, id)),
  fc
    .record({ at: atMs, status, livestreamId: livestream, session: anySession, tenantId })
    .map(({ at, status, ...more }) => seen(at, status, more)),
  fc.tuple(atMs, fc.option(livestream)).map(([at, id]) => gone(at, id)),
  fc.tuple(atMs, fc.option(livestream)).map(([at, id]) => stopped(at, id))
)
/** Each start has a run of its own. */
const histories = fc
  .array(anyNews, { maxLength: 40 })
  .map(all => all.map((news, i) => (news.kind === 'sent' ? { ...news, runId: `run ${i}` } : news)))

/** An end is an end, whichever. */
function rank({ status }: Run): number {
  return Math.min(runStatuses.indexOf(status), runStatuses.indexOf('ended'))
}

/** Why this move of one run must not be; undefined when it may. */
function fault(before: Run, after: Run): string | undefined {
  if (!isOpenRun(before)) return 'a run that is over has changed'
  if (rank(after) < rank(before)) return 'it has gone back'
  if (after.revision <= before.revision) return 'its revision does not tell'
  if (before.livestreamId !== null && after.livestreamId !== before.livestreamId) return 'it has changed its livestream'
  if (before.sessionId !== null && after.sessionId !== before.sessionId) return 'it has changed its session'
  return undefined
}

t.test('no news, however late or repeated, moves a run back or changes one that is over', async t => {
  fc.assert(
    fc.property(histories, all => {
      let run: Run | null = null
      for (const [i, news] of all.entries()) {
        const next: Run | null = moveRun(run, news, { ...how, newId: `run ${i}` }).run
        if (run !== null && next === null) throw new Error('a run is no more')
        if (run !== null && next !== null && next !== run && next.id === run.id) {
          const wrong = fault(run, next)
          if (wrong !== undefined) throw new Error(wrong)
        }
        if (run !== null && next?.id !== run.id && isOpenRun(run)) throw new Error('an open run is forgotten')
        run = next
      }
    }),
    { numRuns: times(4_000) }
  )
  t.pass()
})

t.test(
  'the ledger has one open row for a livestream and one row for a start, and tells each move once, in order',
  async t => {
    fc.assert(
      fc.property(histories, all => {
        const rows = new Map<string, Run>()
        const told = new Map<string, number[]>()
        for (const [i, news] of all.entries()) {
          for (const { before, after, events } of moveRuns([...rows.values()], news, { ...how, newId: `run ${i}` })) {
            const known = rows.get(after.id) ?? null
            if (before !== known) throw new Error('it moves what it was not given')
            const wrong = known === null ? undefined : fault(known, after)
            if (wrong !== undefined) throw new Error(wrong)
            rows.set(after.id, after)
            for (const { runId, type } of events)
              told.set(runId, [...(told.get(runId) ?? []), runEventTypes.indexOf(type)])
            const open = [...rows.values()].filter(isOpenRun).flatMap(({ livestreamId }) => livestreamId ?? [])
            if (new Set(open).size < open.length) throw new Error('two open rows of one livestream')
          }
          const starts = [...rows.values()].flatMap(({ operationId }) => operationId ?? [])
          if (new Set(starts).size < starts.length) throw new Error('two rows of one start')
        }
        for (const types of told.values())
          if (types.some((type, i) => i > 0 && type <= (types[i - 1] ?? -1)))
            throw new Error('told twice, or out of order')
      }),
      { numRuns: times(4_000) }
    )
    t.pass()
  }
)

t.test('the same news again changes nothing, but for a look that shows nothing', async t => {
  fc.assert(
    fc.property(histories, anyNews, (all, news) => {
      const rows = new Map<string, Run>()
      for (const [i, one] of [...all, news].entries())
        for (const { after } of moveRuns([...rows.values()], one, { ...how, newId: `run ${i}` }))
          rows.set(after.id, after)
      const again = moveRuns([...rows.values()], news, { ...how, newId: 'again' })
      return again.every(({ before, after }) => after.quietLooks > (before?.quietLooks ?? 0)) || again.length === 0
    }),
    { numRuns: times(4_000) }
  )
  t.pass()
})
