import { spawnSync } from 'node:child_process'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { canFillDisk, fillDisk, freezer, refuseWrites } from '../../support/campaigns/broken-stores.ts'
import {
  degraded,
  type LiveWorld,
  liveWorld,
  liveWorldBehindDoor,
  loggedOf,
  mutationsSince,
  outcomesOf,
  reconcileLoop,
  timed,
  written
} from '../../support/campaigns/live-world.ts'
import { runHere } from '../../support/cli.ts'
import { lockStore } from '../../support/faulty-store.ts'
import type { TestContext } from '../../support/gateway.ts'
import { latestMs } from '../../support/grace.ts'
import { until } from '../../support/until.ts'

/** The bar is one second. What the machine itself needs for such a call is seen in the same run, and added. It is printed. */
const refusedWithinMs = 1_000
/** The same for a store that is there again. */
const wellWithinMs = 5_000

const fullDisk = 'on a full disk'
/** Prepared before the gateway starts; then breaks its store, and gives back what repairs it. */
const breakages: Record<string, (t: TestContext) => (storeFile: string) => () => void> = {
  'that another process has locked': () => lockStore,
  'that refuses to be written': () => refuseWrites,
  'whose writing thread hangs': t => freezer(t).beforeTheWrite,
  'whose commits hang': t => freezer(t).inTheCommit,
  [fullDisk]: t => () => fillDisk(t)
}
const noPrlimit = canFillDisk() ? false : 'NOT TESTED: prlimit, of util-linux, is not here'

const named = (id: string) => ({ 'x-request-id': id })
const stopOf = (meeting: string | undefined) => `/v2/meetings/${meeting}/active-livestream/stop`

for (const [name, breakage] of Object.entries(breakages)) {
  const promise = `a store ${name}: no mutation goes on but stops, which go on, and all is well again after repair`
  t.test(promise, { skip: name === fullDisk && noPrlimit }, async t => {
    const breakStore = breakage(t)
    const world = await liveWorld(t)
    const { asAcme, meeting, live, simulator } = world
    const [kept, ...stopped] = live
    const { ms: calmMs } = await timed(asAcme('PATCH', `/v2/meetings/${meeting}`, { title: 'calm' }))
    const callsBefore = simulator.journal.length
    const repair = breakStore(world.storeFile)

    const start = (id: string | undefined, request: string) =>
      timed(asAcme('POST', `/v2/meetings/${id}/livestreams`, {}, named(request)))
    const refused = {
      start: start(meeting, 'start'),
      'start of a live one': start(kept, 'again'),
      create: timed(asAcme('POST', '/v2/meetings', { title: 'new' }, named('create'))),
      update: timed(asAcme('PATCH', `/v2/meetings/${meeting}`, { title: 'other' }, named('update')))
    }
    const stops = stopped.map(id => asAcme('POST', stopOf(id), {}, named(id)))
    // A stop sent before they came is no answer to them: the first of them goes out a second later, and the other joins it.
    const behind = asAcme('POST', stopOf(stopped[0]), {}, named('behind'))
    const joined = asAcme('POST', stopOf(stopped[0]), {}, named('joined'))
    for (const path of ['livestreams', 'meetings', `meetings/${meeting}`, `meetings/${kept}/active-livestream`]) {
      t.equal((await asAcme('GET', `/v2/${path}`)).statusCode, 200, `reads go on: ${path}`)
    }

    for (const [what, asked] of Object.entries(refused)) {
      const { reply, ms } = await asked
      t.equal(reply.statusCode, 503, `${what}: refused after ${ms} ms`)
      t.match(reply.json().error, { type: 'audit_unavailable', outcome: 'not_sent' }, what)
      t.ok(ms < latestMs(refusedWithinMs, calmMs), `${what}: in time`)
    }
    for (const stop of [...stops, behind, joined]) t.equal((await stop).statusCode, 200, 'stopped')
    for (const id of stopped)
      t.strictSame(loggedOf(world, id), ['pending', 'done'], 'its events are in the log at once')
    const two = [loggedOf(world, 'behind').join(' '), loggedOf(world, 'joined').join(' ')]
    t.strictSame(two.sort(), ['done', 'pending done'], 'and so is that of the one that joined')
    const sent = [...stopped, stopped[0]].map(id => `POST ${stopOf(id)}`)
    t.strictSame(mutationsSince(world, callsBefore).sort(), sent.sort(), 'the vendor had the stops and nothing else')
    t.equal(running(world), 1, 'what was not stopped is live')
    await until(async () => (await degraded(world))[0] === 'store')

    const repairedAtMs = performance.now()
    repair()
    const wanted = [...stopped, 'behind', 'joined'].map(id => [id, loggedOf(world, id).join(' ')])
    const found = async (): Promise<string[][]> => {
      const events = await written(world)
      return wanted.map(([id = '']) => [id, outcomesOf(events, id).join(' ')])
    }
    await until(async () => JSON.stringify(await found()) === JSON.stringify(wanted)).catch(() => {})
    t.strictSame(await found(), wanted, 'the events of the stops are in the store by themselves')
    await until(async () => (await degraded(world)).length === 0)
    const repairMs = performance.now() - repairedAtMs
    t.ok(repairMs < latestMs(wellWithinMs, calmMs), `well again after ${Math.round(repairMs)} ms`)

    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201)
    // A stop of what was started a moment ago is watched for some seconds.
    await until(async () => (await reconcileLoop(world)).length === 0)
    const events = await world.events()
    for (const id of ['start', 'again', 'create', 'update']) {
      t.equal(outcomesOf(events, id).at(-1), 'not_sent', `${id}: the log says what its caller was told`)
    }
    t.match(await runHere(['audit', 'verify'], { DATABASE_URL: `sqlite:${world.storeFile}` }), { code: 0, stderr: '' })
  })
}

t.test('a full disk loses nothing of what is printed to a file', { skip: noPrlimit }, async t => {
  const printed = join(t.testdir(), 'printed')
  const output = openSync(printed, 'w')
  const script = `
    import { fillDisk } from './test/support/campaigns/broken-stores.ts'
    console.log('before')
    const repair = fillDisk({ teardown() {} })
    console.log('while it is full')
    console.error('also this')
    repair()
    console.log('after')`
  const args = ['--input-type=module', '-e', script]
  t.match(spawnSync(process.execPath, args, { stdio: ['ignore', output, output] }), { status: 0, signal: null })
  const lines = readFileSync(printed, 'utf8').trim().split('\n')
  t.strictSame(lines, ['before', 'while it is full', 'also this', 'after'])
})

t.test('the signal of a write that found the disk full may be heard after the repair', { skip: noPrlimit }, async t => {
  const file = join(t.testdir(), 'file')
  const repair = fillDisk(t)
  t.throws(() => writeFileSync(file, 'too much'), { code: 'EFBIG' })
  repair()
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  writeFileSync(file, 'enough')
  t.equal(readFileSync(file, 'utf8'), 'enough', 'and ends nothing')
})

t.test(
  'an intent that is on disk after its caller was refused: the log says at once that nothing was sent',
  async t => {
    const { inTheCommit, held } = freezer(t)
    const world = await liveWorld(t)
    const { asAcme, meeting, simulator } = world
    const callsBefore = simulator.journal.length
    const thaw = inTheCommit()
    const reply = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`, {}, named('late'))
    t.match(reply.json().error, { type: 'audit_unavailable', outcome: 'not_sent' })
    t.strictSame(outcomesOf(await written(world), 'late'), ['pending'], 'it was committed all the same')
    t.ok(held() > 0)
    thaw()
    await until(async () => (await reconcileLoop(world)).length === 0)
    const late = (await world.events()).filter(({ metadata }) => metadata.correlation_uid === 'late')
    t.strictSame(
      late.map(({ unmapped, status_code }) => `${unmapped.outcome} ${status_code ?? ''}`.trim()).sort(),
      ['not_sent', 'not_sent 503', 'pending'],
      'the intent, what became of it, and what the caller was told'
    )
    t.strictSame(mutationsSince(world, callsBefore), [])
    t.equal((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).statusCode, 201, 'and it holds up no other')
  }
)

t.test('a stop whose record waits for a thread that hangs shows in /readyz, also when nobody else calls', async t => {
  const { beforeTheWrite } = freezer(t)
  const world = await liveWorld(t)
  await world.flushAudit()
  const thaw = beforeTheWrite()
  t.equal((await world.asAcme('POST', stopOf(world.live[0]))).statusCode, 200)
  t.strictSame(await degraded(world), ['store'])
  thaw()
  await until(async () => (await degraded(world)).length === 0)
})

t.test('a store that comes back while a stop is under way: its outcome waits for its intent', async t => {
  const world = await liveWorldBehindDoor(t)
  const { asAcme, live, storeFile, door } = world
  const repair = lockStore(storeFile)
  door.hold('POST')
  const stopping = asAcme('POST', stopOf(live[0]), {}, named('between'))
  await until(() => door.held().length === 1)
  repair()
  door.release()
  t.equal((await stopping).statusCode, 200)
  await until(async () => outcomesOf(await written(world), 'between').length === 2)
  t.strictSame(outcomesOf(await written(world), 'between'), ['pending', 'done'])
  t.strictSame(await reconcileLoop(world), [], 'nothing is left open')
})

t.test('200 reads are answered while one write is under way, and are on record when it is done', async t => {
  const { beforeTheWrite, held } = freezer(t)
  const world = await liveWorld(t)
  const { asAcme, meeting, live } = world
  await world.flushAudit()
  const thaw = beforeTheWrite()
  // The first reads of this run, which somebody else has started: they would make it known to the tenant.
  world.simulator.startFromBrowser(meeting)
  const paths = [
    `/v2/meetings/${meeting}/active-livestream`,
    `/v2/meetings/${live[0]}/active-livestream`,
    `/v2/meetings/${meeting}`,
    '/v2/meetings',
    '/v2/livestreams',
    '/gateway/audit-events'
  ]
  const reads = Array.from({ length: 200 }, (_, i) =>
    asAcme('GET', paths[i % paths.length] ?? '', '', named(`read-${i}`))
  )
  const statuses = (await Promise.all(reads)).map(({ statusCode }) => statusCode)
  t.strictSame(new Set(statuses), new Set([200]))
  t.ok(held() > 0, 'a write was under way all the time')
  const recorded = async (): Promise<number> => {
    const events = await written(world)
    return events.filter(({ metadata }) => metadata.correlation_uid.startsWith('read-')).length
  }
  t.equal(await recorded(), 0)
  thaw()
  await until(async () => (await recorded()) === 200)
})

/** Runs that go on at the vendor. */
function running({ simulator }: LiveWorld): number {
  return simulator.livestreams().filter(({ status }) => status === 'LIVE').length
}
