import t from 'tap'
import { refused, runHere } from '../support/cli.ts'
import { gateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'

t.test('`livestream list --live` shows what goes on, of all tenants or of one, and who has begun it', async t => {
  const { asAcme, asGlobex, meeting, otherMeeting, simulator, storeFile } = await gateway(t)
  const list = (...args: string[]) => runHere(['livestream', 'list', ...args], { DATABASE_URL: `sqlite:${storeFile}` })
  t.match(await list('--live'), { code: 0, stdout: 'nothing is live\n' })
  const { id } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json().data
  simulator.startFromBrowser(otherMeeting)
  await asGlobex('GET', `/v2/meetings/${otherMeeting}/active-livestream`)
  const lines = async () => (await list('--live')).stdout.trim().split('\n')
  await until(async () => (await lines()).length === 3)
  const [header = '', ...rows] = await lines()
  t.match(header, /^tenant +meeting +livestream +status +since +begun by +ends at$/)
  const row = (tenant: string) => rows.find(line => line.startsWith(tenant))
  t.match(row('acme'), new RegExp(`^acme +${meeting} +${id} +(invoked|live) .* a start +-$`))
  // Nobody has told when it began, and this store is new: it may be from before.
  t.match(row('globex'), /outside +exempt$/)
  const { stdout } = await list('--live', '--tenant', 'globex', '--json')
  t.match(JSON.parse(stdout), [
    { tenant_id: 'globex', meeting_id: otherMeeting, operation_id: null, deadline_at: null }
  ])
  await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  t.match(await list('--live', '--tenant', 'acme'), { stdout: 'nothing is live\n' })
  t.equal(refused(await list('--live', '--tenant', 'nobody')), 'there is no tenant nobody')
  t.match(refused(await list()), /give --live/)
})

t.test('`livestream list --live` says which runs no limit ends, since they began before there were any', async t => {
  const { asAcme, meeting, store, storeFile } = await gateway(t)
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const list = async (...args: string[]) =>
    (await runHere(['livestream', 'list', '--live', ...args], { DATABASE_URL: `sqlite:${storeFile}` })).stdout
  t.match(JSON.parse(await list('--json')), [{ is_exempt: false }])
  const later = store.sql.updateTable('meta').set({ value: String(Date.now() + 1_000) })
  await store.engine.write([later.where('name', '=', 'limits_from').compile()])
  t.match(await list(), /a start +exempt$/m)
  t.match(JSON.parse(await list('--json')), [{ is_exempt: true }])
})
