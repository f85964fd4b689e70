import t from 'tap'
import type { LivestreamSession } from '../../../src/domain/livestream.ts'
import { beganAfter } from '../../../src/lifecycle/running/find-started.ts'
import type { Provider } from '../../../src/upstream/provider.ts'
import { runOf } from '../../support/broadcast/reconciling.ts'

const stoppedAtMs = Date.parse('2026-03-01T10:00:00.000Z')
const at = (seconds: number) => new Date(stoppedAtMs + seconds * 1_000).toISOString()

/** Whether these runs prove, ten minutes after a stop, that what is live is not what was stopped. */
async function isProved(runs: Partial<LivestreamSession>[], made = at(-86_400), most = 100): Promise<boolean> {
  const sessions = runs.map((run, i) => ({ id: `s${i}`, ...run }))
  // The vendor gives so many a page at most.
  const findLivestream: Provider['findLivestream'] = async (_id, { pageNo, perPage }) => ({
    livestream: runOf('a1', { created_at: made }),
    sessions: sessions.slice((pageNo - 1) * Math.min(perPage, most), pageNo * Math.min(perPage, most)),
    paging: { total_count: sessions.length, start_offset: 0, end_offset: sessions.length }
  })
  const times = { afterMs: stoppedAtMs, nowMs: stoppedAtMs + 600_000 }
  return beganAfter({ findLivestream } as Provider, 'a1', times, AbortSignal.timeout(60_000))
}

const began = { invoked_time: at(30), started_time: at(35) }

t.test('a run that began after the stop is a newer one when the run before it ended since', async t => {
  t.ok(await isProved([{ invoked_time: at(-60), stopped_time: at(10) }, began]))
  t.ok(await isProved([{ invoked_time: at(-60), stopped_time: at(-1) }, began]), 'a Date has whole seconds')
})

t.test(
  'a run is no newer one when the run before it ended long before the stop: it may be the one that was stopped',
  async t => {
    t.notOk(await isProved([{ invoked_time: at(-600), stopped_time: at(-300) }, began]))
    t.notOk(await isProved([{ invoked_time: at(-600), stopped_time: at(-1.001) }, began]))
  }
)

t.test('a time without its zone proves nothing: on each machine it is another moment', async t => {
  const bare = { invoked_time: at(30).slice(0, -1) }
  t.notOk(await isProved([{ invoked_time: at(-60), stopped_time: at(10) }, bare]))
  t.notOk(await isProved([{ invoked_time: at(-60), stopped_time: at(10).slice(0, -1) }, began]))
  t.notOk(await isProved([began], at(30).replace('Z', '')), 'nor where the livestream is new')
  t.ok(await isProved([began], at(30).replace('Z', '+00:00')), 'a zone may be spelled in other ways')
})

t.test('a run that went on air after the stop is not a newer one by that alone', async t => {
  const wentOnAir = { invoked_time: null, started_time: at(30), created_at: at(30) }
  t.notOk(await isProved([{ invoked_time: at(-60), stopped_time: at(10) }, wentOnAir]))
  t.notOk(await isProved([wentOnAir], at(30)), 'nor where the livestream is new')
  t.ok(await isProved([began], at(30)), 'which its begin would prove')
})

t.test(
  'a run that began and ended since proves nothing while another one goes on: that one was to be stopped',
  async t => {
    const over = { invoked_time: at(5), stopped_time: at(8) }
    t.notOk(await isProved([{ invoked_time: at(-60), stopped_time: null }, over]))
    t.notOk(await isProved([{ invoked_time: at(-60) }, over]))
    t.notOk(await isProved([{ invoked_time: at(-60) }, over, began]), 'nor does a newer one that goes on as well')
    t.notOk(await isProved([{ invoked_time: null }, over, began]), 'nor where the other does not say when it began')
    t.notOk(await isProved([{ invoked_time: at(-60), stopped_time: at(10) }, over]), 'nor when all are over')
    t.notOk(await isProved([{ invoked_time: at(-60) }, over], at(-60)))
    t.notOk(await isProved([over], at(2)), 'nor where the livestream is new')
  }
)

t.test('a look finds the newest of more runs than are shown, in whichever order the vendor has them', async t => {
  const old = Array.from({ length: 10 }, (_, i) => ({ invoked_time: at(i - 900), stopped_time: at(i - 899.5) }))
  const runs = [...old, { invoked_time: at(-60), stopped_time: at(10) }, began]
  t.ok(await isProved(runs, undefined, 10))
  t.ok(await isProved(runs.toReversed(), undefined, 10))
  const goesOn = [...old, { invoked_time: at(-60) }, { invoked_time: at(5), stopped_time: at(8) }]
  t.notOk(await isProved(goesOn, undefined, 10))
  t.notOk(await isProved(goesOn.toReversed(), undefined, 10))
})
