/** Bar I1: each way in which a log can be broken in a campaign (`campaigns.ts`), three in a normal run. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { presets } from '../../../src/domain/scope.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { type BrokenLog, brokenLogs, cannotMount } from '../../support/campaigns/broken-logs.ts'
import { slowestMs } from '../../support/campaigns/dice.ts'
import { timed } from '../../support/campaigns/live-world.ts'
import { environmentOf } from '../../support/config.ts'
import { addKey, addTenant, client, type TestContext } from '../../support/gateway.ts'
import { latestMs } from '../../support/grace.ts'
import { ownPlace } from '../../support/listen.ts'
import { programOf } from '../../support/runner/built.ts'
import { countOf } from '../../support/runner/campaigns.ts'
import { openStoreHere } from '../../support/store.ts'
import { until } from '../../support/until.ts'

const shutdownMs = 5_000

t.setTimeout(slowestMs)
for (const log of brokenLogs.slice(0, countOf('logs'))) {
  const skip = log.mounts === true && cannotMount
  t.test(`with ${log.name} as its log the gateway starts, works, warns, and ends in time`, { skip }, async t => {
    const { asAcme, asNobody, meeting, child, repair } = await served(t, log)
    const warnings = async () => (await asNobody('GET', '/readyz')).json().warnings
    const { ms: calmMs } = await timed(asNobody('GET', '/livez'))

    await until(async () => {
      // Something for the log to tell of.
      await asAcme('GET', `/v2/meetings/${randomUUID()}`)
      return (await warnings()).includes('log_output')
    })
    for (let i = 0; i < 30; i++) t.equal((await asNobody('GET', '/v2/livestreams')).statusCode, 401)
    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/active-livestream/stop`)).statusCode, 200)
    if (repair !== undefined) {
      repair()
      await until(async () => (await warnings()).length === 0)
    }

    const toldAtMs = performance.now()
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const [code] = await ended
    t.equal(code, 0)
    const tookMs = performance.now() - toldAtMs
    t.ok(tookMs < latestMs(shutdownMs + 500, calmMs), `ended after ${Math.round(tookMs)} ms`)
  })
}

/** A gateway in a process of its own, with such a log, which is broken by now. */
async function served(t: TestContext, log: BrokenLog) {
  const simulator = await createSimulator({ liveAfterMs: 0 })
  t.teardown(() => simulator.close())
  const folder = resolve(t.testdir())
  const storeFile = join(folder, 'livegate.db')
  const store = await openStoreHere(storeFile)
  const meeting = simulator.addMeeting().id
  await addTenant(store, 'acme', meeting)
  const { key } = await addKey(store, 'acme', presets.owner)
  await store.close()

  // Where the gateway listens can't be read in its log.
  const { host, port } = ownPlace()
  const logFolder = join(folder, 'log')
  mkdirSync(logFolder)
  const { stdout, before = [] } = log.open(logFolder)
  const [file = '', ...args] = [...before, process.execPath, resolve(programOf('src/cli.ts')), 'serve']
  const env = {
    PATH: process.env.PATH,
    NODE_COMPILE_CACHE: resolve('.tap/compiled'),
    DATABASE_URL: `sqlite:${storeFile}`,
    ...environmentOf(simulator),
    HOST: host,
    PORT: String(port),
    LIVEGATE_SHUTDOWN_MS: String(shutdownMs)
  }
  const child: ChildProcess = spawn(file, args, { env, stdio: ['ignore', stdout, 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const url = `http://${host}:${port}`
  const asNobody = client(url, null)
  const answers = () => {
    if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode} before it was ready`)
    return asNobody('GET', '/readyz').then(
      ({ statusCode }) => statusCode === 200,
      () => false
    )
  }
  await until(answers)
  log.breakIt?.(child, logFolder)
  const { repair } = log
  return {
    meeting,
    child,
    asNobody,
    asAcme: client(url, `Bearer ${key}`),
    repair: repair && (() => repair(child, logFolder))
  }
}
