import t, { type Test } from 'tap'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { commandLine, refused, runHere } from '../support/cli.ts'
import { environmentOf } from '../support/config.ts'
import { addTenant, gateway } from '../support/gateway.ts'
import { liveShows, running } from '../support/orders/live-shows.ts'
import { openStoreHere } from '../support/store.ts'
import { until } from '../support/until.ts'

const tenants = [
  ['acme', 20],
  ['globex', 20],
  ['initech', 10]
] as const

/** The environment of a command beside a gateway. */
const besideOf = ({ storeFile, simulator }: Pick<Awaited<ReturnType<typeof gateway>>, 'storeFile' | 'simulator'>) => ({
  DATABASE_URL: `sqlite:${storeFile}`,
  ...environmentOf(simulator)
})

/** A store that no gateway serves, and a simulator. */
async function unserved(t: Test) {
  const simulator = await createSimulator({ liveAfterMs: 0 })
  t.teardown(() => simulator.close())
  const cli = commandLine(t)
  const env = { ...cli.env, ...environmentOf(simulator), LIVEGATE_UPSTREAM_BUDGET: '1000000/60' }
  const store = await openStoreHere(cli.storeFile, { busyTimeoutMs: 10_000 })
  t.teardown(() => store.close())
  for (const [tenant] of tenants) await addTenant(store, tenant)
  return { simulator, env, store, storeFile: cli.storeFile, run: (...args: string[]) => runHere(args, env) }
}

async function allShows({ store, simulator }: Pick<Awaited<ReturnType<typeof unserved>>, 'store' | 'simulator'>) {
  for (const [tenant, count] of tenants) await liveShows(store, simulator, tenant, count)
}

// Each has a gateway of its own, and waits for it.
t.jobs = 4

t.test('`livestream stop --all` has a running gateway stop 50 runs of three tenants', async t => {
  const world = await gateway(t)
  const { store, simulator, events } = world
  await addTenant(store, 'initech')
  await allShows(world)
  const { code, stdout, stderr } = await runHere(['livestream', 'stop', '--all'], besideOf(world))
  t.strictSame(running(simulator), [])
  t.equal(stdout, 'stopped 50 of 50\n')
  t.equal(code, 0)
  t.match(stderr, /^(looking for what is live\n)?(\d+ of \d+ stopped\n)*50 of 50 stopped\n$/)
  const operations = (await events()).map(({ api, unmapped }) => `${api.operation} ${unmapped.outcome}`)
  t.equal(operations.filter(one => one === 'orderStop done').length, 1)
  t.equal(operations.filter(one => one === 'stopLivestream done').length, 50)
})

t.test('`livestream stop --all` stops them itself while no gateway runs, and leaves the store to the next', async t => {
  const world = await unserved(t)
  await allShows(world)
  const { code, stdout } = await world.run('livestream', 'stop', '--all', '--json')
  t.strictSame(running(world.simulator), [])
  t.equal(code, 0)
  const { stop_order } = JSON.parse(stdout)
  t.match(stop_order, { reason: 'operator', tenant_id: null, is_ended: true, total: 50, stopped: 50 })
  t.equal(stop_order.stops.filter(({ state }: { state: string }) => state === 'stopped').length, 50)
  t.equal((await world.run('livestream', 'stop', '--all')).stdout, 'nothing is live\n', 'once more')
  t.match(await world.run('audit', 'verify'), { code: 0 })
})

t.test(
  "`livestream stop --all --tenant` touches no other tenant's, and `livestream stop` no other meeting",
  async t => {
    const world = await unserved(t)
    const { store, simulator, run } = world
    const [one = '', two = ''] = await liveShows(store, simulator, 'acme', 2)
    const theirs = await liveShows(store, simulator, 'globex', 2)
    t.match(await run('livestream', 'stop', one), { code: 0, stdout: 'stopped 1 of 1\n' })
    t.strictSame(running(simulator), [two, ...theirs].sort())
    t.match(await run('livestream', 'stop', '--all', '--tenant', 'acme'), { code: 0, stdout: 'stopped 1 of 1\n' })
    t.strictSame(running(simulator), [...theirs].sort())
  }
)

t.test('`tenant suspend --stop-all` suspends and stops, and does both once more when it is repeated', async t => {
  const world = await gateway(t)
  const { store, simulator, asAcme, meeting } = world
  await liveShows(store, simulator, 'acme', 3)
  const theirs = await liveShows(store, simulator, 'globex', 1)
  const suspend = () => runHere(['tenant', 'suspend', 'acme', '--stop-all'], besideOf(world))
  t.match(await suspend(), { code: 0, stdout: 'suspended tenant acme\nstopped 3 of 3\n' })
  t.strictSame(running(simulator), theirs)
  t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 403)
  t.match(await suspend(), { code: 0, stdout: 'suspended tenant acme\nnothing is live\n' })
  const { stdout } = await runHere(['tenant', 'suspend', 'acme', '--stop-all', '--json'], besideOf(world))
  t.match(JSON.parse(stdout), { id: 'acme', suspended: true, stop_order: { reason: 'suspended', total: 0 } })
})

t.test('a run that no stop ends makes exit code 3, and is named with the reason', async t => {
  const { simulator, store, run } = await unserved(t)
  const [stubborn = ''] = await liveShows(store, simulator, 'acme', 1)
  const { id: nobodys } = simulator.addMeeting()
  const { id } = simulator.startFromBrowser(nobodys)
  simulator.fail({ match: { path: '/meetings/*/active-livestream/stop' }, status: 500, body: {} })
  const late = await run('livestream', 'stop', '--all', '--wait', '3')
  t.equal(late.code, 3)
  t.match(late.stdout, new RegExp(`^stopped 0 of 1\\ntenant +meeting +state +why\\nacme +${stubborn} +not yet`))
  t.match(
    late.stderr,
    new RegExp(`note: goes on, since no tenant has it: the livestream ${id} of the meeting ${nobodys} at`)
  )
  t.match(
    late.stderr,
    /livegate: 1 of 1 are not stopped; no gateway runs: `serve` goes on with it, or this command once more\n$/
  )
  simulator.clearFaults()
  t.match(await run('livestream', 'stop', '--all'), { code: 0, stdout: 'stopped 1 of 1\n' })
  t.strictSame(running(simulator), [nobodys])
})

t.test('a vendor that can not be asked what runs makes exit code 3', async t => {
  const { simulator, run } = await unserved(t)
  simulator.fail({ match: { path: '/livestreams' }, status: 500, body: {} })
  const { code, stderr, stdout } = await run('livestream', 'stop', '--all', '--wait', '2')
  t.match({ code, stdout }, { code: 3, stdout: 'nothing was found to stop\n' })
  t.match(stderr, /livegate: the upstream default could not be asked what runs \(.+\); no gateway runs/)
})

t.test('without a gateway and its settings the order stands, and the command says so', async t => {
  const { simulator, store, env, storeFile } = await unserved(t)
  await liveShows(store, simulator, 'acme', 1)
  const bare = { DATABASE_URL: `sqlite:${storeFile}` }
  const { code, stderr } = await runHere(['livestream', 'stop', '--all', '--wait', '1'], bare)
  t.equal(code, 3)
  t.match(stderr, /no gateway runs, and this command cannot take its place \(.+\): start `serve`\n$/)
  t.equal(running(simulator).length, 1)
  const again = await runHere(['livestream', 'stop', '--all'], env)
  t.equal(again.code, 0, `both orders on ${storeFile} are carried out`)
  t.strictSame(running(simulator), [])
})

t.test('a command that is interrupted says what goes on, and the gateway goes on with it', async t => {
  const world = await gateway(t)
  const { store, simulator } = world
  await liveShows(store, simulator, 'acme', 1)
  const heal = simulator.fail({ match: { path: '/meetings/*/active-livestream/stop' }, status: 500, body: {} })
  let interrupt = (): void => {}
  const lines: string[] = []
  const more = {
    progress: (line: string) => void lines.push(line),
    onInterrupt(heard: () => void) {
      interrupt = heard
      return () => {}
    }
  }
  const ended = runHere(['livestream', 'stop', '--all'], besideOf(world), undefined, more)
  await until(() => lines.includes('0 of 1 stopped'))
  interrupt()
  const { code, stderr } = await ended
  t.equal(code, 130)
  t.equal(refused({ stdout: '', stderr }), 'interrupted; 1 of 1 are not stopped; the gateway goes on with it')
  t.equal(lines.at(-1), '', 'on a terminal the result comes in the place of the progress')
  heal()
  await until(() => running(simulator).length === 0)
})

t.test('wrong usage and what is not there are refused before anything is ordered', async t => {
  const { run, store } = await unserved(t)
  const wrong: [string, number, RegExp][] = [
    ['', 2, /give a meeting id or --all, one of them/],
    [' m1 --all', 2, /give a meeting id or --all, one of them/],
    [' m1 --tenant acme', 2, /--tenant goes with --all/],
    [' ../m1', 2, /not an id of the provider/],
    [' --all --wait soon', 2, /--wait must be a whole number of seconds/],
    [' --all --tenant nobody', 1, /there is no tenant nobody/],
    [' m1', 1, /nobody has the meeting m1/]
  ]
  for (const [args, code, said] of wrong) {
    const outcome = await run(...`livestream stop${args}`.split(' '))
    t.equal(outcome.code, code, args)
    t.match(refused(outcome), said)
  }
  t.match(refused(await run('tenant', 'suspend', 'nobody', '--stop-all')), /there is no tenant nobody/)
  const orders = await store.engine.read(store.sql.selectFrom('stop_orders').selectAll().compile())
  t.strictSame(orders, [])
})
