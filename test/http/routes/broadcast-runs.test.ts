import { randomUUID } from 'node:crypto'
import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { gatewayBehindDoor } from '../../support/broadcast/door.ts'
import type { Reply } from '../../support/gateway.ts'
import { isEnvelope } from '../../support/http/helper.ts'
import { ledgerWorld, withLedger } from '../../support/ledger/world.ts'
import { until } from '../../support/until.ts'

const runOf = (reply: Reply): string => String(reply.headers['livegate-run'])

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test('a start names its run, which tells what became of it', async t => {
  const { start, stop, look, asAcme, meeting } = await ledgerWorld(t)
  const reply = await start()
  const { id: livestream_id } = reply.json().data
  const fetch = async () => (await asAcme('GET', `/gateway/runs/${runOf(reply)}`)).json()
  const begun = { id: runOf(reply), meeting_id: meeting, livestream_id, begun_by: 'start', status: 'invoked' }
  t.match(await fetch(), { success: true, data: { ...begun, live_at: null, ended_at: null, ended_by: null } })
  await look()
  t.match((await fetch()).data, { status: 'live', playback_url: /^https:/, live_at: /^20..-.*Z$/ })
  await stop()
  t.match((await fetch()).data, { status: 'ended', ended_by: 'tenant', ended_at: /^20..-.*Z$/ })
  t.equal((await asAcme('GET', `/gateway/runs/${runOf(reply).toUpperCase()}`)).json().data.id, runOf(reply))
})

t.test('a start that finds the meeting live, one that joins, and a replay name the same run', async t => {
  const { start, door, inLine, asAcme } = withLedger(await gatewayBehindDoor(t))
  door.hold('POST')
  const key = { 'idempotency-key': 'the-show' }
  const replies = await inLine([() => start(key), () => start({ 'idempotency-key': 'joined' })])
  await until(() => door.held().length > 0)
  door.release()
  const [first, joined] = (await Promise.all(replies)) as [Reply, Reply]
  t.strictSame([first.statusCode, joined.statusCode].sort(), [200, 201])
  const live = await start({ 'idempotency-key': 'live-already' })
  t.equal(live.statusCode, 200)
  const replayed = await Promise.all(
    ['the-show', 'joined', 'live-already'].map(name => start({ 'idempotency-key': name }))
  )
  for (const reply of replayed) t.equal(reply.headers['idempotency-replayed'], 'true')
  const named = [first, joined, live, ...replayed].map(runOf)
  t.strictSame(new Set(named), new Set([runOf(first)]))
  t.match((await asAcme('GET', `/gateway/runs/${runOf(first)}`)).json().data, { begun_by: 'start' })
})

t.test(
  'a start that was lost and found names its run to whoever asks again, and one that came to nothing names none',
  async t => {
    for (const afterWork of [true, false]) {
      const { start, runs, door, simulator } = withLedger(await gatewayBehindDoor(t, { config: { deadlineMs: 2_000 } }))
      const again = () => start({ 'idempotency-key': 'the-show' })
      door.hold('POST')
      const lost = again()
      await until(() => door.held().length > 0)
      simulator.failNext({ match: { method: 'POST' }, hangUp: true, afterWork })
      const end = simulator.fail({ match: { method: 'GET' }, status: 503 })
      door.release()
      t.equal((await lost).headers['livegate-run'], undefined)
      end()
      let reply = await again()
      await until(async () => {
        reply = await again()
        return reply.statusCode !== 409
      })
      t.equal(reply.headers['livegate-run'], afterWork ? (await runs())[0]?.id : undefined)
    }
  }
)

t.test('a run that a browser has begun is named by a start that finds it, as begun outside', async t => {
  const { start, simulator, meeting, asAcme } = await ledgerWorld(t)
  simulator.startFromBrowser(meeting)
  const reply = await start()
  t.equal(reply.statusCode, 200)
  t.match((await asAcme('GET', `/gateway/runs/${runOf(reply)}`)).json().data, { begun_by: 'outside', status: 'live' })
})

t.test('runs are listed in pages, the newest first, those that go on or are over, and of one meeting', async t => {
  const { start, stop, asAcme, simulator, store, meeting } = await ledgerWorld(t, {
    simulator: { livestreamId: 'new' }
  })
  const { id: other } = simulator.addMeeting()
  await meetingsIn(store).assign('acme', 'default', [other], Date.now())
  const first = runOf(await start())
  await stop()
  const second = runOf(await start())
  const third = runOf(await asAcme('POST', `/v2/meetings/${other}/livestreams`, {}))
  const list = async (query: string) => {
    const { data, paging } = (await asAcme('GET', `/gateway/runs?${query}`)).json()
    return [data.map(({ id }: { id: string }) => id), paging.total_count]
  }
  t.strictSame(await list(''), [[third, second, first], 3])
  t.strictSame(await list('page_no=2&per_page=2'), [[first], 3])
  t.strictSame(await list('live=true'), [[third, second], 2])
  t.strictSame(await list('live=false'), [[first], 1])
  t.strictSame(await list(`live=true&meeting_id=${meeting}`), [[second], 1])
  t.strictSame(await list(`meeting_id=${meeting.toUpperCase()}`), [[second, first], 2])
  t.strictSame(await list(`meeting_id=${randomUUID()}`), [[], 0])
  const usage = (await asAcme('GET', '/gateway/usage')).json().data
  t.equal(usage.live_livestreams, 2)
})

t.test('a wrong filter is refused, and names its field', async t => {
  const { asAcme } = await ledgerWorld(t)
  for (const [query, field] of [
    ['live=perhaps', 'query.live'],
    ['meeting_id=a%20b', 'query.meeting_id'],
    ['per_page=0', 'query.per_page'],
    ['page_no=x', 'query.page_no'],
    ['status=live', 'query.status']
  ]) {
    const reply = await asAcme('GET', `/gateway/runs?${query}`)
    t.ok(isEnvelope(reply, 400, 'invalid_input'), `${query}`)
    t.match(reply.json().error.details, [{ field }])
  }
})

t.test(
  "another tenant's run, and that of a meeting which was taken away, look like one that does not exist",
  async t => {
    const { start, asAcme, asGlobex, meeting, store, directory } = await ledgerWorld(t)
    const run = runOf(await start())
    const missing = await asAcme('GET', `/gateway/runs/${randomUUID()}`)
    t.ok(isEnvelope(missing, 404, 'run_not_found'))
    t.ok(isEnvelope(await asGlobex('GET', `/gateway/runs/${run}`), 404, 'run_not_found'))
    t.equal((await asGlobex('GET', `/gateway/runs?meeting_id=${meeting}`)).json().paging.total_count, 0)
    await meetingsIn(store).release(meeting, Date.now())
    await directory.pull()
    t.ok(isEnvelope(await asAcme('GET', `/gateway/runs/${run}`), 404, 'run_not_found'))
    t.equal((await asAcme('GET', '/gateway/runs')).json().paging.total_count, 0)
  }
)

t.test('no run is named to a caller whose key was revoked while the start went on', async t => {
  const { door, withKey, meeting, store, directory } = await gatewayBehindDoor(t)
  const { id, call } = await withKey('acme', ['livestreams:start'])
  door.holdAnswers('POST')
  const reply = call('POST', `/v2/meetings/${meeting}/livestreams`, {})
  await until(() => door.heldAnswers() > 0)
  await store.engine.write([
    store.sql.updateTable('meta').set({ value: '999999' }).where('name', '=', 'revision').compile(),
    store.sql.updateTable('api_keys').set({ revoked_at: Date.now(), revision: 999_999 }).where('id', '=', id).compile()
  ])
  await directory.pull()
  door.release()
  const { statusCode, headers } = await reply
  t.equal(statusCode, 401)
  t.equal(headers['livegate-run'], undefined)
})
