import t from 'tap'
import { seeThrough } from '../../src/commands/livestream/see-through.ts'
import { commandIo, runHere } from '../support/cli.ts'
import { environmentOf } from '../support/config.ts'
import { gateway } from '../support/gateway.ts'
import { giveOrder, liveShows, running } from '../support/orders/live-shows.ts'
import { until } from '../support/until.ts'

t.test('a command takes the place of its gateway when that is gone, and does not come back', async t => {
  const { store, storeFile, simulator, close } = await gateway(t)
  await liveShows(store, simulator, 'acme', 2)
  const heal = simulator.fail({ match: { path: '/meetings/*/active-livestream/stop' }, status: 500, body: {} })
  const env = { DATABASE_URL: `sqlite:${storeFile}`, ...environmentOf(simulator) }
  const { io, stderr } = commandIo(env)
  const seen = seeThrough(io, await giveOrder(store), 60_000, { lookEveryMs: 20, comesBackWithinMs: 100 })
  await until(() => stderr().includes('0 of 2 stopped'))
  await close()
  heal()
  t.match(await seen, { how: 'ended', isOwn: true, trouble: null, order: { reason: 'operator' } })
  t.strictSame(running(simulator), [])
})

t.test('a run that no stop can end is left, and the table says why', async t => {
  const { asAcme, simulator, storeFile } = await gateway(t)
  const { id } = (await asAcme('POST', '/v2/livestreams', { name: 'encoder' })).json().data
  simulator.ingest(id)
  const { code, stdout, stderr } = await runHere(['livestream', 'stop', '--all'], {
    DATABASE_URL: `sqlite:${storeFile}`
  })
  t.equal(code, 3)
  t.match(stdout, new RegExp(`acme +\\(livestream ${id}\\) +goes on +it has no meeting`))
  t.match(
    stderr,
    /0 of 1 stopped, 1 can't be\nlivegate: 1 of 1 are not stopped; livestream list --live shows what goes on\n$/
  )
})

t.test('a command that does not wait says that it does not know', async t => {
  const { storeFile } = await gateway(t)
  const { code, stderr } = await runHere(['livestream', 'stop', '--all', '--wait', '0'], {
    DATABASE_URL: `sqlite:${storeFile}`
  })
  t.equal(code, 3)
  t.match(stderr, /livegate: it is not known yet what is live; the gateway goes on with it\n$/)
})
