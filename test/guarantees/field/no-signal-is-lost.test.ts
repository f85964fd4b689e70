/** Bar I9: each of 20 moments of a start, in two ways, in a campaign (`campaigns.ts`); two moments in a normal run. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { Dice, slowestMs } from '../../support/campaigns/dice.ts'
import { startProcess } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'
import { client, type TestContext } from '../../support/gateway.ts'
import { latestMs } from '../../support/grace.ts'
import { programOf } from '../../support/runner/built.ts'
import { countOf } from '../../support/runner/campaigns.ts'
import { printSeed } from '../../support/runner/seeds.ts'
import { until } from '../../support/until.ts'

const asFirst = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child']
const noNamespace =
  spawnSync('unshare', [...asFirst, 'true']).status !== 0 && 'NOT TESTED: unshare, of util-linux, is not here'
const shutdownMs = 5_000
const moments = countOf('signals') / 2

t.setTimeout(slowestMs * moments)
t.before(() => printSeed(t))
const dice = new Dice('signals')

for (const [place, first, skip] of [
  ['', false, false],
  [' as the first process of a container', true, noNamespace]
] as const) {
  t.test(`told to end at ${moments} moments of its start${place}, serve ends each time with 0`, { skip }, async t => {
    const env = await environment(t)
    // Compiles what the others use too.
    const calm = await signalled(t, { env, first, afterMs: null })
    t.equal(calm.code, 0)
    for (let i = 0; i < moments; i++) {
      // A fifth of them when it listens already.
      const afterMs = ((i + dice.next()) / moments) * 1.2 * calm.startedMs
      const { code, stderr, endedMs } = await signalled(t, { env, first, afterMs })
      t.strictSame({ code, stderr }, { code: 0, stderr: '' }, `after ${Math.round(afterMs)} ms`)
      t.ok(endedMs < latestMs(shutdownMs + 500, calm.startedMs / 20), `ended after ${Math.round(endedMs)} ms`)
    }
  })
}

t.test(`Ctrl-C as soon as simulate has said where it listens ends it with 0, ${2 * moments} times`, async t => {
  for (let i = 0; i < 2 * moments; i++) {
    const child = startProcess(t, ['simulate', '--port', '0'])
    const [, url = ''] = await child.line(/listens: (\S+)\n/)
    // Somebody may have a connection open.
    if (i % 2 === 1) await client(new URL(url).origin, null)('GET', '/_simulator/health')
    child.signal('SIGINT')
    const { code, stderr } = await child.ended
    t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  }
})

async function environment(t: TestContext): Promise<Record<string, string>> {
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  return {
    PATH: process.env.PATH ?? '',
    NODE_COMPILE_CACHE: resolve('.tap/compiled'),
    DATABASE_URL: `sqlite:${join(resolve(t.testdir()), 'livegate.db')}`,
    ...environmentOf(simulator),
    PORT: '0',
    LIVEGATE_SHUTDOWN_MS: String(shutdownMs)
  }
}

interface Moment {
  env: Record<string, string>
  /** As the process 1 of a namespace of its own: no signal has a meaning of its own there. */
  first: boolean
  /** After its first module has been loaded; null: when it says that it listens. */
  afterMs: number | null
}

/** One start of a gateway that is told to end. */
async function signalled(t: TestContext, { env, first, afterMs }: Moment) {
  const command = [process.execPath, programOf('src/cli.ts'), 'serve']
  const [file = '', ...args] = first ? ['unshare', ...asFirst, ...command] : command
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  const listens = Promise.withResolvers<void>()
  child.stdout.on('data', text => {
    stdout += text
    if (stdout.includes('livegate listens')) listens.resolve()
  })
  child.stderr.on('data', text => {
    stderr += text
  })
  const ended = once(child, 'close')
  const pid = await firstModule(child.pid ?? Number.NaN, first)
  const sinceMs = performance.now()
  await (afterMs === null ? listens.promise : new Promise(resolve => setTimeout(resolve, afterMs)))
  const startedMs = performance.now() - sinceMs
  process.kill(pid, 'SIGTERM')
  const toldAtMs = performance.now()
  const [code] = await ended
  return { code: code as number | null, stderr, startedMs, endedMs: performance.now() - toldAtMs }
}

/** The gateway's process, as soon as its first module has been loaded: it catches SIGHUP from then on, as Node by itself does not. */
async function firstModule(pid: number, first: boolean): Promise<number> {
  let found = pid
  await until(() => {
    if (first) found = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim() || Number.NaN)
    if (Number.isNaN(found)) return false
    const [, caught = '0'] = /^SigCgt:\s*(\w+)/m.exec(readFileSync(`/proc/${found}/status`, 'utf8')) ?? []
    return (BigInt(`0x${caught}`) & 1n) === 1n
  })
  return found
}
