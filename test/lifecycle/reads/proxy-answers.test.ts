import t from 'tap'
import { gateway } from '../../support/gateway.ts'

t.test('a proxy that gave up on a start does not hide what the vendor began: one run, and it is found', async t => {
  const { asAcme, meeting, simulator, store } = await gateway(t, {
    unmoved: true,
    // A vendor at which a start that is believed to have failed would begin a second run.
    simulator: { activeDuringInvoked: '404', startWhileLive: 'second', livestreamId: 'new', liveAfterMs: 600_000 }
  })
  const start = () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const states = async () =>
    store.engine.read(store.sql.selectFrom('operations').select(['state', 'upstream_status']).compile())
  const lists = ['/livestreams', '/meetings/*/livestream']
  const recovering = lists.map(path => simulator.fail({ match: { method: 'GET', path }, status: 500 }))
  const page = { status: 499, headers: { 'content-type': 'text/html' }, body: '<html>client closed request</html>' }
  simulator.failNext({ match: { method: 'POST' }, ...page, afterWork: true })

  const first = await start()
  t.equal(first.statusCode, 502)
  t.match(first.json().error, { type: 'upstream_malformed', outcome: 'unknown' })
  t.strictSame(await states(), [{ state: 'unknown', upstream_status: 499 }])
  t.match((await start()).json().error, { outcome: 'not_sent' }, 'the meeting is held while nobody can look')

  for (const recover of recovering) recover()
  const second = await start()
  t.equal(second.statusCode, 200)
  const [run, ...others] = simulator.livestreams()
  t.match(second.json().data, { id: run?.id, status: 'INVOKED' })
  t.equal(run?.starts, 1)
  t.strictSame(others, [])
  t.strictSame(await states(), [{ state: 'done', upstream_status: 499 }])
})
