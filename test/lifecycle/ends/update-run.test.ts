import t from 'tap'
import { limited } from '../../support/ends/limited.ts'
import { until } from '../../support/until.ts'

t.jobs = 3

t.test('a run is extended and shortened by its tenant, from its start, and the change is on record', async t => {
  const { start, last, asAcme, asGlobex, events, withKey, meeting } = await limited(t, { maxDurationSeconds: 3_600 })
  await start({ max_duration_seconds: 60 })
  const run = await last()
  const path = `/gateway/runs/${run?.id}`
  const deadline_at = new Date(Number(run?.createdAtMs) + 1_800_000).toISOString()
  const reply = await asAcme('PATCH', path, { max_duration_seconds: 1_800 })
  t.equal(reply.statusCode, 200)
  t.match(reply.json().data, { id: run?.id, max_duration_seconds: 1_800, deadline_at })
  t.equal((await asAcme('PATCH', path, { max_duration_seconds: 900 })).json().data.max_duration_seconds, 900)
  t.match(await last(), { maxDurationSeconds: 900 })
  const changes = (await events()).filter(({ api }) => api.operation === 'updateRun')
  t.match(changes, [
    { resources: [{ type: 'meeting', uid: meeting }, { type: 'livestream' }], unmapped: { outcome: 'done' } },
    { unmapped: { outcome: 'done' } }
  ])
  t.equal(changes.length, 2)

  const wish = [path, { max_duration_seconds: 1_200 }, { 'idempotency-key': '"one"' }] as const
  const first = await asAcme('PATCH', ...wish)
  await asAcme('PATCH', path, { max_duration_seconds: 900 })
  const again = await asAcme('PATCH', ...wish)
  t.strictSame(again.json(), first.json(), 'a repetition under its key has the first answer')
  t.equal(again.headers['idempotency-replayed'], 'true')
  t.match(await last(), { maxDurationSeconds: 900 })

  const tooLong = await asAcme('PATCH', path, { max_duration_seconds: 3_601 })
  t.match(tooLong.json().error, { code: 400, details: [{ field: 'body.max_duration_seconds' }] })
  for (const body of [{}, { max_duration_seconds: 9 }, { max_duration_seconds: null }, { deadline: 1 }])
    t.equal((await asAcme('PATCH', path, body)).statusCode, 400)
  const viewer = await withKey('acme', ['livestreams:read', 'livestreams:stop'])
  t.equal((await viewer.call('PATCH', path, { max_duration_seconds: 60 })).statusCode, 403)
  const foreign = await asGlobex('PATCH', path, { max_duration_seconds: 60 })
  const unknown = await asAcme('PATCH', '/gateway/runs/5d0c6a53-9a1c-4f3e-8d5b-3d7d5c0f7a10', {
    max_duration_seconds: 60
  })
  for (const { statusCode, json } of [foreign, unknown])
    t.match([statusCode, json().error.type], [404, 'run_not_found'])
})

t.test(
  'a run that has gone on for longer than is wished now ends at once, and one that is over is not changed',
  async t => {
    const { start, last, asAcme, pass, isLive } = await limited(t)
    await start()
    await pass(120_000)
    const path = `/gateway/runs/${(await last())?.id}`
    t.equal((await asAcme('PATCH', path, { max_duration_seconds: 60 })).statusCode, 200)
    await until(async () => (await last())?.status === 'ended')
    t.match(await last(), { endedBy: 'max_duration' })
    t.notOk(isLive())
    const late = await asAcme('PATCH', path, { max_duration_seconds: 600 })
    t.match(late.json().error, { code: 409, type: 'run_over' })
  }
)

t.test(
  'the end of a run that belongs to no meeting cannot be changed, since its vendor has no stop for it',
  async t => {
    const { start, last, asAcme, store, directory } = await limited(t)
    await start()
    const id = (await last())?.id ?? ''
    const released = store.sql.updateTable('broadcast_runs').set({ meeting_id: null }).where('id', '=', id)
    await store.engine.write([released.compile()])
    await directory.pull()
    const reply = await asAcme('PATCH', `/gateway/runs/${id}`, { max_duration_seconds: 60 })
    t.match(reply.json().error, { code: 409, type: 'run_without_meeting' })
    t.match(await last(), { maxDurationSeconds: null })
  }
)
