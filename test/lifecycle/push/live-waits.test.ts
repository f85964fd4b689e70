import t from 'tap'
import type { Run } from '../../../src/domain/runs/run.ts'
import { RunHub } from '../../../src/lifecycle/ledger/hub.ts'
import { LiveWaits } from '../../../src/lifecycle/push/live-waits.ts'
import { runOf } from '../../support/push/events.ts'
import { until } from '../../support/until.ts'

const meeting = { id: 'm1', tenantId: 'acme', upstream: 'default' }
const forever = new AbortController().signal

function waits(rows: Run[] = []) {
  const hub = new RunHub({ error: () => {} })
  const store = { fails: false, asked: 0 }
  const look = async () => {
    store.asked += 1
    if (store.fails) throw new Error('the disk is gone')
    return rows
  }
  const runs = {
    openIn: async () => (await look()).filter(({ endedAtMs }) => endedAtMs === null),
    lastOf: async (_: string, livestreamId: string) =>
      (await look()).findLast(run => run.livestreamId === livestreamId) ?? null
  }
  const liveWaits = new LiveWaits({ hub, runs })
  return { liveWaits, hub, store, tell: (run: Run) => hub.committed([{ run, events: [] }]) }
}

const invoked = runOf({ livestreamId: 'l1', status: 'invoked', playbackUrl: null })
const onAir = { ...invoked, status: 'live' as const, revision: 2 }
const playable = { ...onAir, playbackUrl: 'https://playback.example/1.m3u8', revision: 3 }

t.test('a wait ends when the run is live and its playback address known, not before', async t => {
  const rows = [invoked]
  const { liveWaits, hub, store, tell } = waits(rows)
  const waiting = liveWaits.until({ meeting, livestreamId: 'l1' }, 60_000, forever)
  await until(() => store.asked === 1)
  t.ok(liveWaits.isAwaited(meeting), 'the run is looked at first')
  t.notOk(liveWaits.isAwaited({ ...meeting, upstream: 'other' }))
  tell(onAir)
  tell({ ...playable, livestreamId: 'l2' })
  tell({ ...playable, meetingId: null })
  tell({ ...playable, meetingId: 'm2' })
  tell({ ...playable, tenantId: 'globex' })
  await new Promise(resolve => setImmediate(resolve))
  t.equal(store.asked, 1)
  rows.push(playable)
  tell(playable)
  t.strictSame(await waiting, playable)
  t.notOk(liveWaits.isAwaited(meeting))
  t.equal(hub.listening, 0)
})

t.test('a run that can be played already is waited for no longer', async t => {
  const { liveWaits } = waits([playable])
  t.strictSame(await liveWaits.until({ meeting, livestreamId: 'l1' }, 60_000, forever), playable)
  t.strictSame(await liveWaits.until({ meeting, livestreamId: null }, 60_000, forever), playable)
})

t.test("a run that is over ends the wait for it, and not the wait for the meeting's next", async t => {
  const ended = { ...invoked, status: 'ended' as const, endedAtMs: 3_000, revision: 2 }
  const { liveWaits, tell, store } = waits([ended])
  t.strictSame(await liveWaits.until({ meeting, livestreamId: 'l1' }, 60_000, forever), ended)
  const next = liveWaits.until({ meeting, livestreamId: null }, 60_000, forever)
  await until(() => store.asked === 3)
  tell(ended)
  tell({ ...playable, quietLooks: 1 })
  tell({ ...playable, livestreamId: 'l2' })
  t.match(await next, { livestreamId: 'l2' })
})

t.test('the time-out, a caller that hangs up and the end of the gateway end a wait', async t => {
  const { liveWaits } = waits([invoked])
  t.strictSame(await liveWaits.until({ meeting, livestreamId: 'l1' }, 5, forever), invoked)
  const left = new AbortController()
  const waiting = liveWaits.until({ meeting, livestreamId: 'l1' }, 60_000, left.signal)
  left.abort()
  t.equal(await waiting, null)
  t.equal(await liveWaits.until({ meeting, livestreamId: 'l1' }, 60_000, left.signal), null)
  const some = [1, 2].map(() => liveWaits.until({ meeting, livestreamId: 'l1' }, 60_000, forever))
  liveWaits.endAll()
  t.strictSame(await Promise.all(some), [invoked, invoked])
  t.strictSame(await liveWaits.until({ meeting, livestreamId: 'l1' }, 60_000, forever), invoked)
})

t.test('a store that cannot be read ends no wait: the hub tells', async t => {
  const { liveWaits, store, tell } = waits([invoked])
  store.fails = true
  const waiting = liveWaits.until({ meeting, livestreamId: 'l1' }, 60_000, forever)
  await until(() => store.asked === 1)
  tell(playable)
  t.strictSame(await waiting, playable)
})
