import { randomUUID } from 'node:crypto'
import { constants, setPriority } from 'node:os'
import t from 'tap'
import type { Environment } from '../../src/config/config.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { timed } from '../support/campaigns/live-world.ts'
import { commandLine, measured, refused, runHere, runProcess, startProcess, until } from '../support/cli.ts'
import { environmentOf } from '../support/config.ts'
import { client, type TestContext } from '../support/gateway.ts'
import { latestMs } from '../support/grace.ts'

/** `serve` as a process of its own, in front of a simulator in this one, with a command line on the same store. */
async function served(t: TestContext, env: Environment = {}) {
  const simulator = await createSimulator({ liveAfterMs: 0 })
  t.teardown(() => simulator.close())
  const cli = commandLine(t)
  const vendor = environmentOf(simulator)
  const settings = { ...cli.env, ...vendor, PORT: '0', ...env }
  const child = startProcess(t, ['serve'], settings)
  const [, url = ''] = await child.line(/"url":"([^"]+)".*"msg":"livegate listens"/)
  return { simulator, cli, settings, child, url }
}

/** A tenant with a meeting and a key that the gateway knows by now. */
async function acmeAt({ cli, simulator, url }: Awaited<ReturnType<typeof served>>) {
  await cli.json('tenant', 'create', 'acme')
  const { key } = await cli.json('key', 'create', 'acme', '--preset', 'operator')
  const { id: meeting } = simulator.addMeeting()
  await cli.json('meeting', 'assign', 'acme', meeting, '--force')
  const asAcme = client(url, `Bearer ${key}`)
  await until(
    () => asAcme('GET', '/v2/livestreams'),
    reply => reply.statusCode === 200
  )
  return { key, meeting, asAcme }
}

t.test('the other commands work beside a running serve, and without one', async t => {
  const { cli, child, url, settings } = await served(t, measured)
  const { ms: calmMs } = await timed(client(url, null)('GET', '/livez'))
  const within5s = latestMs(5_000, calmMs)
  const within = (key: string, path: string, status: number) =>
    until(
      () => client(url, `Bearer ${key}`)('GET', path),
      reply => reply.statusCode === status,
      within5s
    ).then(reply => reply.statusCode)
  const meeting = randomUUID()
  const ofMeeting = `/v2/meetings/${meeting}/livestreams`
  const newKey = async (tenant: string) => cli.json('key', 'create', tenant, '--preset', 'operator')

  await cli.json('tenant', 'create', 'acme')
  await cli.json('tenant', 'create', 'globex')
  const [kept, revoked, globex] = [await newKey('acme'), await newKey('acme'), await newKey('globex')]
  await cli.json('meeting', 'assign', 'acme', meeting, '--force')
  const known = await Promise.all([
    within(kept.key, ofMeeting, 200),
    within(revoked.key, '/v2/livestreams', 200),
    within(globex.key, '/v2/livestreams', 200)
  ])
  t.strictSame(known, [200, 200, 200], 'new keys are accepted, and an assigned meeting is known, within 5 s')

  await cli.json('meeting', 'release', meeting, '--force')
  await cli.json('key', 'revoke', revoked.id)
  await cli.json('tenant', 'suspend', 'globex')
  const ended = await Promise.all([
    within(kept.key, ofMeeting, 404),
    within(revoked.key, '/v2/livestreams', 401),
    within(globex.key, '/v2/livestreams', 403)
  ])
  t.strictSame(
    ended,
    [404, 401, 403],
    'a released meeting, a revoked key and a suspended tenant are refused within 5 s'
  )
  await cli.json('tenant', 'resume', 'globex')
  t.equal(await within(globex.key, '/v2/livestreams', 200), 200, 'a resumed tenant is accepted within 5 s')

  await cli.json('tenant', 'update', 'globex', '--read-limit', '600/60,100')
  const policy = async () =>
    (await client(url, `Bearer ${globex.key}`)('GET', '/v2/livestreams')).headers['ratelimit-policy']
  const burst = await until(policy, text => text !== '"read";q=600;w=60', within5s)
  t.equal(burst, '"read";q=100;w=10', 'a changed limit holds within 5 s')

  // The command that a person types, with the store's own threads, while the gateway has the store open.
  const beside = await runProcess(t, ['tenant', 'list', '--json'], cli.env)
  t.match(JSON.parse(beside.stdout), [{ id: 'acme' }, { id: 'globex', suspended: false }])

  const { hostname, port } = new URL(url)
  const health = () => runHere(['healthcheck', '--json'], { HOST: hostname, PORT: port })
  t.strictSame(await health(), { code: 0, stdout: '{"ok":true}\n', stderr: '' })

  const [second, samePort] = await Promise.all([
    runProcess(t, ['serve'], { ...settings, LIVEGATE_SHUTDOWN_MS: '100' }),
    runProcess(t, ['serve'], {
      ...settings,
      PORT: port,
      DATABASE_URL: `${cli.env.DATABASE_URL}.other`,
      LIVEGATE_DATA_DIR: `${cli.storeFile}.keys`
    })
  ])
  t.equal(second.code, 1)
  t.equal(second.stderr, `livegate: another gateway serves ${cli.storeFile}: one store, one gateway\n`)
  t.match(second.stdout, /waiting for it to end/)
  t.equal(samePort.code, 1)
  t.equal(samePort.stderr, `livegate: port ${port} is taken; HOST and PORT say where\n`)
  t.equal(await within(kept.key, '/v2/livestreams', 200), 200, 'the first one is not disturbed')

  child.signal('SIGTERM')
  t.equal((await child.ended).code, 0)
  t.notMatch(child.stdout(), /lgk_/, 'no key in the log')
  const gone = await health()
  t.equal(gone.code, 1)
  t.equal(refused(gone), `${url}/livez does not answer`)
  t.match(await cli.json('tenant', 'show', 'acme'), { id: 'acme' })
})

t.test('SIGTERM lets a call under way finish and exits 0', async t => {
  const serving = await served(t)
  const { child, simulator, settings } = serving
  const { key, meeting, asAcme } = await acmeAt(serving)
  simulator.failNext({ match: { method: 'POST' }, delayMs: 1_000 })
  const start = asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await until(
    async () => simulator.journal,
    journal => journal.some(({ method }) => method === 'POST')
  )
  child.signal('SIGTERM')
  await child.line(/livegate finishes what is under way/)
  // A successor may start while the predecessor still drains: it waits for the store.
  const successor = startProcess(t, ['serve'], settings)
  t.equal((await start).statusCode, 201)
  const { code, stderr } = await child.ended
  t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  t.match(child.stdout(), /livegate has stopped/)

  const [, next = ''] = await successor.line(/"url":"([^"]+)".*"msg":"livegate listens"/)
  const active = await client(next, `Bearer ${key}`)('GET', `/v2/meetings/${meeting}/active-livestream`)
  t.match(active.json(), { data: { meeting_id: meeting } }, 'nothing was lost')

  // This time the call takes longer than anybody wants to wait.
  simulator.failNext({ match: { method: 'POST' }, stall: true })
  client(next, `Bearer ${key}`)('POST', `/v2/meetings/${meeting}/active-livestream/stop`).catch(() => {})
  await until(
    async () => simulator.journal,
    journal => journal.some(({ target }) => target.endsWith('/stop'))
  )
  successor.signal('SIGTERM')
  await successor.line(/livegate finishes what is under way/)
  successor.signal('SIGTERM')
  const forced = await successor.ended
  t.equal(forced.code, 1, 'a second SIGTERM ends it at once')
  t.notMatch(forced.stdout, /livegate has stopped/)
})

t.test('a vendor that never answers is cut off in time: the caller hears it, and the exit code is 0', async t => {
  // Time enough for a machine with much else to do: what is left after the cut must be written within it.
  const shutdownMs = 6_000
  const serving = await served(t, { LIVEGATE_SHUTDOWN_MS: String(shutdownMs) })
  const { child, simulator } = serving
  const { meeting, asAcme } = await acmeAt(serving)
  simulator.failNext({ match: { method: 'POST' }, stall: true })
  const start = asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await until(
    async () => simulator.journal,
    journal => journal.some(({ method }) => method === 'POST')
  )
  const { ms: calmMs } = await timed(asAcme('GET', '/v2/livestreams'))
  // Other tests run beside this one, and what is left after the cut has 1.5 s whatever they do.
  if (process.getuid?.() === 0) setPriority(child.pid, constants.priority.PRIORITY_HIGHEST)
  const signalledAt = performance.now()
  child.signal('SIGTERM')
  t.match((await start).json(), { error: { code: 504, type: 'upstream_too_late', outcome: 'unknown' } })
  const { code, stdout } = await child.ended
  t.equal(code, 0)
  t.match(stdout, /livegate has stopped/)
  t.ok(performance.now() - signalledAt < latestMs(shutdownMs, calmMs))
})

t.test('a signal before it serves ends it at once with 0', async t => {
  const { cli, settings } = await served(t)
  const waiting = startProcess(t, ['serve'], { ...settings, LIVEGATE_SHUTDOWN_MS: '60000' })
  await waiting.line(/waiting for it to end/)
  waiting.signal('SIGTERM')
  const { code, stderr } = await waiting.ended
  t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  t.strictSame(await cli.json('tenant', 'list'), [], 'and disturbs nobody')
})
