import t from 'tap'
import { noRunEnd, type Run, type RunNews } from '../../../src/domain/runs/run.ts'
import { moveRuns } from '../../../src/domain/runs/run-moves.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { broadcastRunsIn } from '../../../src/store/tables/runs/broadcast-runs.ts'
import { runEventsIn } from '../../../src/store/tables/runs/run-events.ts'
import { gone, how, seen, sent, session, started, stopped } from '../../support/ledger/news.ts'
import { storeWithTenants } from '../../support/store/helper.ts'

async function world(t: Parameters<typeof storeWithTenants>[0]) {
  const { store } = await storeWithTenants(t)
  const meetings = meetingsIn(store)
  await meetings.assign('acme', 'default', ['m1', 'm2'], 1_000)
  await meetings.assign('globex', 'default', ['m3'], 1_000)
  const runs = broadcastRunsIn(store)
  let made = 0
  const write = async (news: RunNews): Promise<void> => {
    const moves = moveRuns(await runs.concerned(news), news, { ...how, newId: `found ${++made}` })
    if (moves.length > 0) await store.engine.write(moves.flatMap(move => runs.moved(move, false)))
  }
  const idsOf = (all: Run[]): string[] => all.map(({ id }) => id)
  return { store, meetings, runs, events: runEventsIn(store), write, idsOf }
}

t.test('a run is read as it was written', async t => {
  const { runs, write } = await world(t)
  await write({ ...sent(1_000), maxDurationSeconds: 60, deadlineAtMs: 61_000, isManual: true } as RunNews)
  await write(started(1_200))
  const playbackUrl = 'https://playback.example/1.m3u8'
  await write(seen(3_000, 'LIVE', { playbackUrl, session: session('s1', 1_100, { startedAtMs: 2_500 }) }))
  await write(gone(9_000))
  t.strictSame(await runs.find('acme', 'run of op-1'), {
    id: 'run of op-1',
    tenantId: 'acme',
    upstream: 'default',
    meetingId: 'm1',
    livestreamId: 'ls-1',
    sessionId: 's1',
    operationId: 'op-1',
    status: 'live',
    invokedAtMs: 1_000,
    liveAtMs: 2_500,
    endedAtMs: null,
    endedBy: null,
    ...noRunEnd,
    deadlineAtMs: 61_000,
    maxDurationSeconds: 60,
    isManual: true,
    playbackUrl,
    quietLooks: 1,
    quietAtMs: 9_000,
    createdAtMs: 1_000,
    revision: 4
  })
  await write(stopped(9_500))
  t.match(await runs.find('acme', 'run of op-1'), { status: 'ended', endedAtMs: 9_500, endedBy: 'tenant' })
})

t.test('news is about the open runs of its meeting, its livestream, the last run of that, and its start', async t => {
  const { runs, write, idsOf } = await world(t)
  await write(seen(1_000, 'LIVE', { livestreamId: 'ls-0' }))
  await write(seen(2_000, 'IDLE', { livestreamId: 'ls-0' }))
  await write(seen(90_000, 'LIVE', { livestreamId: 'ls-0' }))
  await write(stopped(91_000, 'ls-0'))
  await write(sent(92_000))
  await write(seen(93_000, 'LIVE', { livestreamId: 'ls-1' }))
  await write(seen(93_000, 'LIVE', { livestreamId: 'ls-2' }))
  await write(seen(93_000, 'LIVE', { livestreamId: 'ls-3', meetingId: 'm2' }))
  await write(seen(93_000, 'LIVE', { livestreamId: 'ls-4', meetingId: null }))
  t.strictSame(idsOf(await runs.concerned(seen(0, 'LIVE', { livestreamId: 'ls-0' }))), [
    'found 3',
    'run of op-1',
    'found 7'
  ])
  t.strictSame(idsOf(await runs.concerned(gone(0, null))), ['run of op-1', 'found 7'])
  t.strictSame(idsOf(await runs.concerned(seen(0, 'LIVE', { livestreamId: 'ls-4', meetingId: null }))), ['found 9'])
  t.strictSame(idsOf(await runs.concerned({ ...gone(0, null), meetingId: null })), [])
  t.strictSame(idsOf(await runs.concerned({ ...gone(0, null), upstream: 'second' })), [])
  t.strictSame(idsOf(await runs.concerned({ ...started(0), meetingId: null })), ['run of op-1'])
  t.strictSame(idsOf(await runs.open()), ['run of op-1', 'found 7', 'found 8', 'found 9'])
  t.equal((await runs.lastOf('default', 'ls-0'))?.id, 'found 3')
  t.equal(await runs.lastOf('second', 'ls-0'), null)
})

t.test(
  'a list has the newest first, whatever the clock said, a page of them, and those of a meeting or that go on',
  async t => {
    const { runs, write, idsOf } = await world(t)
    for (const [i, livestreamId] of ['ls-1', 'ls-2', 'ls-3', 'ls-4'].entries())
      await write(seen(9_000 - i, 'LIVE', { livestreamId, meetingId: i === 0 ? 'm2' : 'm1' }))
    await write(stopped(9_500, 'ls-4'))
    const page = (filter: object) => runs.list('acme', { pageNo: 1, perPage: 10, ...filter })
    t.strictSame(idsOf((await page({})).runs), ['found 4', 'found 3', 'found 2', 'found 1'])
    t.strictSame(idsOf((await page({ live: true })).runs), ['found 3', 'found 2', 'found 1'])
    t.strictSame(idsOf((await page({ live: false })).runs), ['found 4'])
    t.strictSame(idsOf((await page({ meetingId: 'm2' })).runs), ['found 1'])
    const second = await page({ pageNo: 2, perPage: 3 })
    t.strictSame([idsOf(second.runs), second.total], [['found 1'], 4])
    t.equal(await runs.countLive('acme'), 3)
  }
)

t.test(
  'a run is seen by its tenant alone, and by nobody once its meeting or its livestream was taken away',
  async t => {
    const { store, meetings, runs, write } = await world(t)
    await write(seen(1_000, 'LIVE'))
    const { id } = (await runs.open())[0] as Run
    const sees = async (tenantId: string, run = id): Promise<boolean[]> => [
      (await runs.find(tenantId, run)) !== null,
      (await runs.list(tenantId, { pageNo: 1, perPage: 9 })).runs.some(one => one.id === run),
      (await runs.countLive(tenantId)) > 0
    ]
    t.strictSame(await sees('acme'), [true, true, true])
    t.strictSame(await sees('globex'), [false, false, false])
    await meetings.release('m1', 2_000)
    t.strictSame(await sees('acme'), [false, false, false])
    await meetings.assign('globex', 'default', ['m1'], 3_000)
    t.strictSame([...(await sees('acme')), ...(await sees('globex'))], [false, false, false, false, false, false])
    await write(seen(4_000, 'LIVE', { livestreamId: 'ls-5', meetingId: null }))
    const independent = (await runs.lastOf('default', 'ls-5'))?.id ?? ''
    t.strictSame(await sees('acme', independent), [false, false, false])
    const owner = { id: 'ls-5', tenantId: 'acme', upstream: 'default', meetingId: null }
    await livestreamsIn(store).observe(owner, { id: 'ls-5', status: 'LIVE' }, 4_000)
    t.strictSame(await sees('acme', independent), [true, true, true])
  }
)

t.test('events have numbers in the order of commits, and no number is given twice', async t => {
  const { events, write } = await world(t)
  t.equal(await events.lastSeq(), 0)
  await write(seen(1_000, 'INVOKED'))
  await write(seen(2_000, 'LIVE'))
  await write(seen(2_000, 'LIVE', { livestreamId: 'ls-3', meetingId: 'm3', tenantId: 'globex' }))
  t.strictSame(await events.after(0, { tenantId: 'acme', limit: 1 }), [
    {
      seq: 1,
      runId: 'found 1',
      tenantId: 'acme',
      upstream: 'default',
      meetingId: 'm1',
      livestreamId: 'ls-1',
      type: 'livestream.starting',
      status: 'invoked',
      playbackUrl: null,
      reason: null,
      atMs: 1_000
    }
  ])
  t.match(await events.after(1, { limit: 9 }), [{ seq: 2 }, { seq: 3, tenantId: 'globex' }])
  t.match(await events.after(1, { tenantId: 'globex', limit: 9 }), [{ seq: 3 }])
  t.equal(await events.removeOld(2_000, 9), 1)
  t.equal(await events.removeOld(9_000, 1), 1)
  t.equal(await events.removeOld(9_000, 9), 1)
  t.strictSame(await events.after(0, { limit: 9 }), [])
  await write(stopped(9_000))
  t.match(await events.after(0, { limit: 9 }), [{ seq: 4, type: 'livestream.ended', reason: 'tenant' }])
  t.equal(await events.lastSeq(), 4)
})
