import { randomBytes } from 'node:crypto'
import t from 'tap'
import { withoutKey } from '../../../src/domain/livestream.ts'
import type { RunNews } from '../../../src/domain/runs/run.ts'
import { moveRuns } from '../../../src/domain/runs/run-moves.ts'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { broadcastRunsIn } from '../../../src/store/tables/runs/broadcast-runs.ts'
import { hourMs, manualClock, steps } from '../../support/clock.ts'
import { how, seen, stopped } from '../../support/ledger/news.ts'
import { storeWithTenants } from '../../support/store/helper.ts'
import { bytesOf } from '../../support/store.ts'

const page = { pageNo: 1, perPage: 100 }

async function world(t: Parameters<typeof storeWithTenants>[0]) {
  const { store, file } = await storeWithTenants(t)
  const livestreams = livestreamsIn(store)
  await meetingsIn(store).assign('acme', 'default', ['m1', 'm2'], 1_000)
  /** As acme sees a livestream in one of its meetings. */
  const see = (id: string, meetingId: string | null, status: string, atMs: number, createdAt?: string) =>
    livestreams.observe(
      { id, tenantId: 'acme', upstream: 'default', meetingId },
      { id, status, ...(createdAt !== undefined && { created_at: createdAt }) },
      atMs
    )
  return { store, file, livestreams, see }
}

t.test("a tenant finds what it has seen; somebody else's and a missing one are null alike", async t => {
  const { livestreams, see } = await world(t)
  await see('a1', 'm1', 'LIVE', 2_000)
  const found = {
    ...{ id: 'a1', tenantId: 'acme', upstream: 'default', meetingId: 'm1' },
    ...{ status: 'LIVE', isProved: false }
  }
  t.strictSame(await livestreams.find('acme', 'a1'), found)
  t.equal(await livestreams.find('globex', 'a1'), null)
  t.equal(await livestreams.find('globex', 'missing'), null)
  t.equal(await livestreams.lastOfMeeting({ id: 'm1', tenantId: 'globex', upstream: 'default' }), null)
  t.strictSame(await livestreams.unfinished('globex', { limit: 9 }), [])
  t.strictSame(await livestreams.list('globex', page), { items: [], total: 0 })
})

t.test('nobody gets a livestream by looking at it', async t => {
  const { livestreams, see } = await world(t)
  await see('a1', 'm1', 'LIVE', 2_000)
  for (const meetingId of ['m1', null, 'm9']) {
    const thief = { id: 'a1', tenantId: 'globex', upstream: 'default', meetingId }
    await livestreams.observe(thief, { id: 'a1', status: 'IDLE' }, 3_000)
    t.equal(await livestreams.find('globex', 'a1'), null)
  }
  t.match(await livestreams.find('acme', 'a1'), { status: 'LIVE', meetingId: 'm1' })
})

t.test("a proof of a livestream's meeting stays, and so does the meeting", async t => {
  const { livestreams, see } = await world(t)
  await see('a1', 'm1', 'INVOKED', 2_000)
  await see('a1', 'm2', 'INVOKED', 2_000)
  t.match(await livestreams.find('acme', 'a1'), { meetingId: 'm2', isProved: false })
  const owner = { id: 'a1', tenantId: 'acme', upstream: 'default', meetingId: 'm1' }
  await livestreams.observe({ ...owner, isProved: true }, { id: 'a1', status: 'LIVE' }, 3_000)
  t.match(await livestreams.find('acme', 'a1'), { meetingId: 'm1', isProved: true })
  await see('a1', 'm1', 'IDLE', 4_000)
  await see('a1', 'm2', 'LIVE', 4_000)
  await see('a1', null, 'LIVE', 4_000)
  t.match(await livestreams.find('acme', 'a1'), { meetingId: 'm1', status: 'IDLE', isProved: true })
  await see('b2', null, 'LIVE', 4_000)
  t.match(await livestreams.find('acme', 'b2'), { meetingId: null, isProved: false })
  const b2 = { ...owner, id: 'b2', meetingId: null }
  for (const other of [
    { ...b2, tenantId: 'globex' },
    { ...b2, meetingId: 'm1' }
  ])
    await livestreams.prove(other, 5_000)
  t.match(await livestreams.find('acme', 'b2'), { isProved: false })
  await livestreams.prove(b2, 5_000)
  t.match(await livestreams.find('acme', 'b2'), { isProved: true })
})

t.test(
  'one vendor account has no say about a livestream of another, unless its meeting is at that one now',
  async t => {
    const { store, livestreams, see } = await world(t)
    await see('a1', 'm1', 'LIVE', 2_000)
    const meetings = meetingsIn(store)
    await meetings.assign('acme', 'other', ['m3'], 1_000)
    const ofOther = { id: 'a1', tenantId: 'acme', upstream: 'other' }
    for (const meetingId of ['m1', 'm3', null])
      await livestreams.observe({ ...ofOther, meetingId, isProved: true }, { id: 'a1', status: 'IDLE' }, 3_000)
    t.match(await livestreams.find('acme', 'a1'), { upstream: 'default', meetingId: 'm1', status: 'LIVE' })
    await meetings.release('m1', 4_000)
    await meetings.assign('acme', 'other', ['m1'], 4_000, () => [], true)
    await livestreams.observe({ ...ofOther, meetingId: 'm1' }, { id: 'a1', status: 'IDLE' }, 5_000)
    t.match(await livestreams.find('acme', 'a1'), { upstream: 'other', status: 'IDLE' })
  }
)

t.test('the last look counts, whatever its time says', async t => {
  const { livestreams, see } = await world(t)
  await see('a1', 'm1', 'LIVE', 3_000)
  await see('a1', 'm1', 'INVOKED', 2_000)
  t.match(await livestreams.find('acme', 'a1'), { status: 'INVOKED' })
  for (const stepMs of steps) {
    await see('a1', 'm1', 'LIVE', 3_000)
    await see('a1', 'm1', 'IDLE', 3_000 + stepMs)
    t.match(await livestreams.find('acme', 'a1'), { status: 'IDLE' }, `${stepMs} ms`)
  }
})

t.test('the time since a livestream was seen is told by the clock that nobody sets', async t => {
  const { store, livestreams: earlier } = await world(t)
  for (const stepMs of steps) {
    const clock = manualClock()
    const livestreams = livestreamsIn(store, clock)
    const owner = { id: 'a1', tenantId: 'acme', upstream: 'default', meetingId: 'm1' }
    const observedAtMs = clock.now()
    await livestreams.observe(owner, { id: 'a1', status: 'LIVE' }, observedAtMs)
    clock.step(stepMs)
    clock.advance(5_000)
    t.equal(livestreams.unseenForMs({ id: 'a1', observedAtMs }), 5_000, `${stepMs} ms`)
    const before = { id: 'b2', observedAtMs: observedAtMs - 20_000 }
    t.equal(livestreams.unseenForMs(before), 25_000, 'seen by an earlier process')
    const ahead = { id: 'c3', observedAtMs: observedAtMs + hourMs }
    t.equal(
      livestreams.unseenForMs(ahead),
      5_000,
      'by one whose clock was ahead: as long at least as this one is there'
    )
  }
  t.ok(earlier.unseenForMs({ id: 'a1', observedAtMs: 0 }) > 1_000_000)
})

t.test('a livestream that was seen again while it was asked for is not gone', async t => {
  const { livestreams, see } = await world(t)
  await see('a1', 'm1', 'INVOKED', 2_000)
  const [asked] = await livestreams.unfinished('acme', { limit: 1 })
  await see('a1', 'm1', 'LIVE', 1_000)
  if (asked !== undefined) await livestreams.gone(asked, 3_000)
  t.match(await livestreams.find('acme', 'a1'), { status: 'LIVE' })
  const [again] = await livestreams.unfinished('acme', { limit: 1 })
  if (again !== undefined) await livestreams.gone(again, 500)
  t.match(await livestreams.find('acme', 'a1'), { status: 'OFFLINE' })
})

t.test('the last livestream of a meeting is the one seen last, and of two seen at once the newer', async t => {
  const { store, livestreams, see } = await world(t)
  t.equal(await livestreams.lastOfMeeting({ id: 'm1', tenantId: 'acme', upstream: 'default' }), null)
  await see('a1', 'm1', 'IDLE', 2_000, '2026-11-20T09:00:00.000Z')
  await see('b2', 'm1', 'INVOKED', 1_000, '2026-11-20T10:00:00.000Z')
  await see('c3', 'm2', 'LIVE', 4_000)
  t.match(await livestreams.lastOfMeeting({ id: 'm1', tenantId: 'acme', upstream: 'default' }), {
    id: 'b2',
    status: 'INVOKED',
    meeting_id: 'm1'
  })
  await see('a1', 'm1', 'IDLE', 3_000)
  t.match(
    await livestreams.lastOfMeeting({ id: 'm1', tenantId: 'acme', upstream: 'default' }),
    { id: 'b2' },
    'one that is running comes first'
  )
  await see('b2', 'm1', 'IDLE', 500)
  t.match(
    await livestreams.lastOfMeeting({ id: 'm1', tenantId: 'acme', upstream: 'default' }),
    { id: 'b2' },
    'seen last, whatever the time'
  )
  await meetingsIn(store).release('m1', 600)
  await meetingsIn(store).assign('acme', 'default', ['m1'], 700)
  t.match(
    await livestreams.lastOfMeeting({ id: 'm1', tenantId: 'acme', upstream: 'default' }),
    { id: 'b2' },
    'both came back at once'
  )
  await see('e5', 'm2', 'LIVE', 4_500, '2026-11-20T10:00:00.000Z')
  await see('d4', 'm2', 'IDLE', 4_500, '2026-11-20T09:00:00.000Z')
  t.match(
    await livestreams.lastOfMeeting({ id: 'm2', tenantId: 'acme', upstream: 'default' }),
    { id: 'e5' },
    'also when the older one was known later'
  )
  await see('a1', 'm1', 'LIVE', 100)
  t.match(await livestreams.lastOfMeeting({ id: 'm1', tenantId: 'acme', upstream: 'default' }), { id: 'a1' })
})

t.test('unfinished livestreams are listed, the longest unseen first', async t => {
  const { livestreams, see } = await world(t)
  const statuses = ['LIVE', 'INVOKED', 'IDLE', 'OFFLINE', 'ERRORED', 'A-WORD-OF-TOMORROW']
  for (const [i, status] of statuses.entries()) await see(`s${i}`, i === 0 ? 'm2' : 'm1', status, 9_000 - i)
  await see('s0', 'm2', 'LIVE', 1_000)
  const ids = async (filter: { meetingId?: string; limit: number }) =>
    (await livestreams.unfinished('acme', filter)).map(({ id }) => id)
  t.strictSame(await ids({ limit: 9 }), ['s1', 's5', 's0'])
  t.strictSame(await ids({ limit: 2 }), ['s1', 's5'])
  t.strictSame(await ids({ meetingId: 'm2', limit: 9 }), ['s0'])
  t.match(await livestreams.unfinished('acme', { meetingId: 'm2', limit: 1 }), [
    { id: 's0', tenantId: 'acme', upstream: 'default', meetingId: 'm2', status: 'LIVE' }
  ])
})

t.test('a list shows the run as over where the ledger knows that it is', async t => {
  const { store, livestreams, see } = await world(t)
  const runs = broadcastRunsIn(store)
  let made = 0
  const note = async (news: RunNews): Promise<void> => {
    const moves = moveRuns(await runs.concerned(news), news, { ...how, newId: `run ${++made}` })
    await store.engine.write(moves.flatMap(move => runs.moved(move, false)))
  }
  const known: [id: string, status: string, news: RunNews[], shown: string][] = [
    ['a1', 'LIVE', [], 'LIVE'],
    ['a2', 'LIVE', [seen(1, 'LIVE', { livestreamId: 'a2' }), stopped(2, 'a2')], 'IDLE'],
    ['a3', 'WARMING_UP', [seen(1, 'WARMING_UP', { livestreamId: 'a3' })], 'WARMING_UP'],
    ['a4', 'INVOKED', [seen(1, 'LIVE', { livestreamId: 'a4' }), seen(2, 'ERRORED', { livestreamId: 'a4' })], 'ERRORED'],
    ['a5', 'OFFLINE', [seen(1, 'INVOKED', { livestreamId: 'a5' })], 'OFFLINE'],
    ['a6', 'IDLE', [seen(1, 'LIVE', { livestreamId: 'a6' })], 'IDLE'],
    ['a7', 'ERRORED', [seen(1, 'LIVE', { livestreamId: 'a7' }), stopped(2, 'a7')], 'ERRORED']
  ]
  for (const [id, status, news] of known) {
    await see(id, 'm1', status, 2_000)
    for (const one of news) await note(one)
  }
  const list = async (status?: string) => (await livestreams.list('acme', { pageNo: 1, perPage: 9, status })).items
  t.strictSame(
    Object.fromEntries((await list()).map(({ id, status }) => [id, status])),
    Object.fromEntries(known.map(([id, , , shown]) => [id, shown]))
  )
  t.strictSame((await list('LIVE')).map(({ id }) => id).sort(), ['a1'])
})

t.test('the operator learns which meetings have a run that was not over, released ones too', async t => {
  const { livestreams, see, store } = await world(t)
  await see('a1', 'm1', 'INVOKED', 2_000)
  await see('b2', 'm1', 'LIVE', 3_000)
  await see('c3', 'm2', 'IDLE', 3_000)
  await see('d4', null, 'LIVE', 3_000)
  t.strictSame([...(await livestreams.unfinishedMeetings())], [['m1', 'LIVE']])
  await meetingsIn(store).release('m1', 4_000)
  t.strictSame([...(await livestreams.unfinishedMeetings())], [['m1', 'LIVE']])
})

t.test('a livestream without a meeting is its tenant’s alone', async t => {
  const { livestreams, see } = await world(t)
  await see('a1', null, 'LIVE', 2_000)
  await see('a1', null, 'IDLE', 3_000)
  t.match(await livestreams.find('acme', 'a1'), { meetingId: null, status: 'IDLE' })
  t.equal(await livestreams.find('globex', 'a1'), null)
})

t.test('no stream key reaches the disk when what is kept went through withoutKey', async t => {
  const { livestreams, file } = await world(t)
  const stream_key = randomBytes(16).toString('hex')
  const seen = { id: 'a1', status: 'LIVE', ingest_server: 'rtmps://ingest.example/app/', stream_key }
  const owner = { id: 'a1', tenantId: 'acme', upstream: 'default', meetingId: 'm1' }
  await livestreams.observe(owner, withoutKey(seen), 2_000)
  const bytes = await bytesOf(file)
  t.match(bytes, 'a1')
  t.notMatch(bytes, stream_key)
  t.notMatch(bytes, 'ingest.example')
})

t.test('a livestream that was seen is among the changes', async t => {
  const { livestreams, see } = await world(t)
  await see('a1', 'm1', 'INVOKED', 2_000)
  const [first] = await livestreams.changedSince(0)
  t.match(first, { id: 'a1' })
  t.strictSame(await livestreams.changedSince(first?.revision ?? 0), [])
  await see('a1', 'm1', 'LIVE', 3_000)
  t.match(await livestreams.changedSince(first?.revision ?? 0), [{ id: 'a1' }])
})
