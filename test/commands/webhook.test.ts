import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createSimulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import { commandLine, refused } from '../support/cli.ts'
import { environmentOf } from '../support/config.ts'
import { gateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'

async function operator(t: Test, options: SimulatorOptions = {}, env: object = {}) {
  const simulator = await createSimulator(options)
  t.teardown(() => simulator.close())
  return { simulator, ...commandLine(t, { ...environmentOf(simulator), ...env }) }
}

const base = 'https://video.example'
const events = ['livestreaming.statusUpdate', 'meeting.started', 'meeting.ended']

for (const vendor of ['dyte', 'realtimekit'] as const) {
  t.test(`${vendor}: a webhook is registered once, listed and unregistered, and that is on record`, async t => {
    const { simulator, run, json } = await operator(t, { vendor })
    t.strictSame(await json('webhook', 'list'), [])
    t.equal((await run('webhook', 'list')).stdout, 'no webhooks\n')
    const [made] = await json('webhook', 'register', base)
    t.match(made, { upstream: 'default', result: 'registered', url: `${base}/webhooks/default`, events, enabled: true })
    t.match(await json('webhook', 'register', `${base}/`), [{ id: made.id, result: 'unchanged' }])
    t.equal(simulator.webhooks.registered.all().length, 1)
    t.match(await json('webhook', 'list'), [{ upstream: 'default', id: made.id, events, enabled: true }])
    t.match((await run('webhook', 'list')).stdout, `default   ${made.id}  yes`)
    t.match(await json('webhook', 'unregister', base), [{ id: made.id }])
    t.equal((await run('webhook', 'unregister', base)).stdout, 'no webhook leads there\n')
    t.strictSame(simulator.webhooks.registered.all(), [])
    const { stdout } = await run('audit', 'export')
    const acts = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).event)
      .map(({ api, unmapped }) => `${api.operation} ${unmapped.outcome}`)
    t.strictSame(acts, [
      'registerWebhook pending',
      'registerWebhook done',
      'unregisterWebhook pending',
      'unregisterWebhook done'
    ])
    t.match(stdout, `"resources":[{"type":"upstream","uid":"default"},{"type":"webhook","uid":"${made.id}"}]`)
  })
}

t.test('one that is wrong is corrected, and a second one to the same address goes', async t => {
  const { simulator, json } = await operator(t)
  const url = `${base}/gw/webhooks/default`
  const other = simulator.webhooks.registered.add({ name: 'other', url: 'https://other.example', events })
  const first = simulator.webhooks.registered.add({ name: 'a', url, events: ['meeting.summary'], enabled: false })
  simulator.webhooks.registered.add({ name: 'b', url, events })
  const [corrected] = await json('webhook', 'register', `${base}/gw`)
  t.match(corrected, { id: first.id, result: 'corrected', enabled: true })
  t.strictSame(corrected.events.toSorted(), [...events, 'meeting.summary'].sort(), 'what others have asked for stays')
  t.strictSame(
    simulator.webhooks.registered.all().map(({ id }) => id),
    [other.id, first.id]
  )
})

t.test('the address comes from LIVEGATE_PUBLIC_URL where none is given, and must be one', async t => {
  const { json } = await operator(t, {}, { LIVEGATE_PUBLIC_URL: `${base}/gw/` })
  t.match(await json('webhook', 'register'), [{ url: `${base}/gw/webhooks/default` }])
  t.match(await json('webhook', 'unregister'), [{ url: `${base}/gw/webhooks/default` }])
  const { run, simulator } = await operator(t)
  for (const args of [[], ['video.example'], ['http://video.example'], [`${base}/?a=b`], ['https://u:p@video.example']])
    for (const command of ['register', 'unregister']) {
      const outcome = await run('webhook', command, ...args)
      t.equal(outcome.code, 2)
      t.match(refused(outcome), /^give the address at which the vendor reaches this gateway/)
    }
  t.strictSame(simulator.journal, [])
})

t.test('each upstream has a webhook of its own, and one that fails holds up no other', async t => {
  const [first, second] = [await createSimulator(), await createSimulator({ vendor: 'realtimekit' })]
  for (const simulator of [first, second]) t.teardown(() => simulator.close())
  const list = [
    { name: 'default', provider: 'dyte', base_url: first.url, org_id: first.org, api_key: first.key },
    {
      ...{ name: 'rtk', provider: 'realtimekit', base_url: second.url },
      ...{ account_id: second.account, app_id: second.app, api_token: second.token }
    }
  ]
  const file = join(t.testdir(), 'upstreams.json')
  writeFileSync(file, JSON.stringify(list))
  const { run, json } = commandLine(t, { LIVEGATE_UPSTREAMS_FILE: file })
  t.match(await json('webhook', 'register', base, '--upstream', 'rtk'), [{ url: `${base}/webhooks/rtk` }])
  t.equal(first.webhooks.registered.all().length, 0)
  t.match(await json('webhook', 'register', base), [{ upstream: 'default' }, { upstream: 'rtk', result: 'unchanged' }])
  t.equal((await json('webhook', 'list')).length, 2)
  const unknown = await run('webhook', 'list', '--upstream', 'none')
  t.equal(refused(unknown), '--upstream: there is no upstream none; there is default, rtk')

  first.accept('another-key')
  const { code, stdout, stderr } = await run('webhook', 'unregister', base)
  t.equal(code, 1)
  t.match(stderr, /^livegate: 1 of 2 not unregistered; upstream default: /)
  t.match(stdout, /rtk/)
  t.equal(second.webhooks.registered.all().length, 0)
})

t.test('a refusal of the vendor is told in its words, and on record', async t => {
  const { simulator, run } = await operator(t)
  const body = { success: false, error: { code: 400, message: 'BAD_REQUEST: there are ten already' } }
  simulator.failNext({ match: { method: 'POST' }, status: 400, body })
  const outcome = await run('webhook', 'register', base)
  t.equal(outcome.code, 1)
  t.match(outcome.stderr, 'there are ten already')
  simulator.failNext({ match: { method: 'POST' }, hangUp: true })
  t.equal((await run('webhook', 'register', base)).code, 1)
  const { stdout } = await run('audit', 'export')
  t.match(stdout, /"operation":"registerWebhook".*"outcome":"failed"/)
  t.match(stdout, /"operation":"registerWebhook".*"outcome":"unknown"/)
})

t.test('registered beside a running gateway, the vendor’s webhooks arrive there', async t => {
  const { simulator, url, storeFile, meeting, store } = await gateway(t)
  const { json } = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}`, ...environmentOf(simulator) })
  t.match(await json('webhook', 'register', url), [{ result: 'registered' }])
  const { id } = simulator.startFromBrowser(meeting)
  const query = store.sql.selectFrom('livestreams').select('status').where('id', '=', id)
  await until(async () => (await store.engine.read(query.compile()))[0]?.status === 'LIVE')
  t.ok(simulator.webhooks.sent.every(({ status }) => status === 200))
  t.match(await json('webhook', 'unregister', url), [{ url: `${url}/webhooks/default` }])
})
