import t from 'tap'
import { main } from '../../src/commands/process/main.ts'
import { define } from '../../src/commands/usage/define.ts'
import { commandIo, refused, runHere } from '../support/cli.ts'
import { gateway, type World } from '../support/gateway.ts'
import { metricsUrl, showing } from '../support/metrics/read.ts'

/** The environment of commands on the machine of this gateway. */
function environmentOf({ storeFile, url }: World, metrics: string | null) {
  const port = metrics === null ? {} : { LIVEGATE_METRICS_PORT: new URL(metrics).port }
  return { DATABASE_URL: `sqlite:${storeFile}`, PORT: new URL(url).port, ...port }
}

t.test('status shows on one screen what is live, rates, quota, breaker, audit log and warnings', async t => {
  const world = await gateway(t, { config: { metrics: showing, diskFloorMb: 1_000_000 } })
  const { asAcme, meeting, simulator } = world
  const env = environmentOf(world, metricsUrl(world))
  t.match((await runHere(['status'], env)).stdout, /^live +nothing\nopen +no operation of unknown outcome$/m)
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  simulator.failNext({ match: { method: 'POST' }, hangUp: true }, 3)
  await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)
  const { code, stdout, stderr } = await runHere(['status'], env)
  t.strictSame([code, stderr], [0, ''])
  for (const line of [
    /^as of +\d{4}-.*Z$/,
    /^gateway +ready; WARNINGS: disk_space$/,
    /^live +1 run \(1 (invoked|live)\): acme 1$/,
    /^open +1 stop of unknown outcome or under way; the oldest since \d+ s$/,
    /^calls +\d+\.\d\/s, 0\.0\/s refused, 0\.0\/s failed; no reads$/,
    /^bad +0 of 1 starts, 1 of 1 stops \(late or not known\), since the start of the process$/,
    /^quota +default: \d+ of 1000000 in 60 s; left \d+ for reads, \d+ for starts, \d+ for stops; breaker closed$/,
    /^audit log +event \d+, \d+ s ago; signed up to \d+, \d+ s ago; \d+ wait$/,
    /^process +up \d+ s, \d+\.\d % of a core, \d+ MB; 0 writes wait$/
  ])
    t.match(stdout, new RegExp(line.source, 'm'))
  t.notMatch(stdout, 'not known  ')
  t.match(JSON.parse((await runHere(['status', '--json'], env)).stdout), {
    gateway: { status: 'ready', degraded: [], warnings: ['disk_space'] },
    live: { runs: 1, by_tenant: { acme: 1 } },
    open_operations: { by_kind: { stop: 1 } },
    quotas: [{ upstream: 'default', breaker: 'closed' }],
    rates: { calls: Number, reads_in_time: null },
    since_start: { bad_starts: 0, starts: 1, bad_stops: 1, stops: 1 },
    not_known: null
  })
})

t.test('without metrics, and without a gateway, status says what is not known', async t => {
  const world = await gateway(t)
  const { stdout } = await runHere(['status'], environmentOf(world, null))
  t.match(stdout, /^gateway +ready; no warnings$/m)
  t.match(stdout, /^not known +rates, .* since LIVEGATE_METRICS_PORT is not set \(docs\/metrics\.md\)$/m)
  t.notMatch(stdout, /^calls/m)
  const elsewhere = { ...environmentOf(world, null), PORT: '1', LIVEGATE_METRICS_PORT: '0.0.0.0:1' }
  const absent = (await runHere(['status'], elsewhere)).stdout
  t.match(absent, /^gateway +does not answer at http:\/\/127\.0\.0\.1:1\/readyz: what follows is what its store says$/m)
  const stranger = { ...elsewhere, PORT: new URL(world.simulator.origin).port }
  t.match((await runHere(['status'], stranger)).stdout, /^gateway +does not answer/m, 'it is no gateway that answers')
  t.match(absent, /since http:\/\/127\.0\.0\.1:1\/metrics does not answer/)
  const { gateway: none, rates, not_known } = JSON.parse((await runHere(['status', '--json'], elsewhere)).stdout)
  t.strictSame([none, rates, not_known], [null, null, 'http://127.0.0.1:1/metrics does not answer'])
})

t.test('top shows the same again and again, with rates from the second look on', async t => {
  const world = await gateway(t, { config: { metrics: showing } })
  const env = environmentOf(world, metricsUrl(world))
  const { asAcme, meeting } = world
  const args = ['top', '--interval', '0.1', '--times', '2']
  const reading = runHere(args, env)
  for (let i = 0; i < 20; i++) await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  const [first = '', second = ''] = (await reading).stdout.split('\n\n')
  t.match(first, /^not known +rates, before the second look$/m)
  t.match(second, /^calls +\d+(\.\d)?\/s, /m)
  const lines = (await runHere([...args, '--json'], env)).stdout.trim().split('\n')
  t.strictSame(
    lines.map(line => JSON.parse(line).rates === null),
    [true, false]
  )
})

t.test('top stays in one place of a terminal, and ends at a signal', async t => {
  const world = await gateway(t)
  const { io, stdout, stderr } = commandIo(environmentOf(world, null))
  const screens: string[] = []
  let interrupt = (): void => {}
  const code = main(define, ['top', '--interval', '0.1'], {
    ...io,
    screen(text) {
      screens.push(text)
      // In the pause after the second one.
      if (screens.length === 2) setImmediate(interrupt)
    },
    onInterrupt(callback) {
      interrupt = callback
      return () => {}
    }
  })
  t.strictSame([await code, screens.length, stdout(), stderr()], [0, 2, '', ''])
  t.match(screens[0], /^as of /)
  for (const args of [
    ['--interval', '0'],
    ['--times', 'x']
  ]) {
    const wrong = await runHere(['top', ...args], environmentOf(world, null))
    t.equal(wrong.code, 2)
    t.match(refused(wrong), /^--(interval|times) must be a number from /)
  }
})
