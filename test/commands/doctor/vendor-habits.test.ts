import { writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../../src/domain/values/clock.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import type { KeptHabits } from '../../../src/upstream/account/observed.ts'
import { UpstreamSet } from '../../../src/upstream/account/upstream-set.ts'
import { quotaFileIn, readQuotaFile } from '../../../src/upstream/quota/quota-file.ts'
import { accountOf } from '../../support/account.ts'
import { commandLine } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'

/** The first start of a vendor has no record, and says so. */
const log = { error: console.error, warn() {} }

/** A vendor, and what a gateway beside it has left of its habits. */
async function world(t: Test) {
  const simulator = await createSimulator()
  t.teardown(() => simulator.close())
  const cli = commandLine(t, environmentOf(simulator))
  const dataDir = dirname(cli.storeFile)
  const account = accountOf(simulator)
  const open = async () => {
    const set = new UpstreamSet({ dataDir, deadlineMs: 1_000, bootId: 'this boot', clock: systemClock, log })
    await set.open([account])
    const upstream = set.upstreams.get('default')
    if (upstream === undefined) throw new Error('no upstream')
    return { set, upstream }
  }
  return { cli, account, open, file: quotaFileIn(dataDir, 'default') }
}

t.test("a vendor's habits are known after a restart, and shown to the operator", async t => {
  const { cli, open } = await world(t)
  const first = await open()
  t.match(first.upstream.habits, { refusesSecondStart: false, failsWhenNothingIsLive: false })
  first.upstream.habits.noteSecondStartRefused()
  for (let i = 0; i < 3; i++) first.upstream.habits.noteFailedWhenNothingWasLive()
  await first.set.close()

  const { set, upstream } = await open()
  t.match(upstream.habits, { refusesSecondStart: true, failsWhenNothingIsLive: true })
  await set.close()
  const habits = 'refuses a second start with 409; fails where nothing is live, so its lists are asked first'
  t.match((await cli.run('upstream', 'status')).stdout, `habits     ${habits}`)
  t.match(await cli.json('upstream', 'status'), [{ refuses_second_start: true, fails_when_nothing_is_live: true }])
  const { code, stdout } = await cli.run('doctor')
  t.equal(code, 0)
  t.match(stdout, /^ok {4}habits of the upstream default: it refuses a second start with 409; and it fails where/m)
})

t.test('they stay when the account is opened anew while calls go on', async t => {
  const { account, open } = await world(t)
  const { set, upstream } = await open()
  upstream.habits.noteSecondStartRefused()
  await set.replace([{ ...account, quota: { calls: 500, seconds: 60 } }])
  t.not(set.upstreams.get('default'), upstream)
  t.equal(set.upstreams.get('default')?.habits.refusesSecondStart, true)
  await set.close()
})

t.test('nothing is said of a vendor that has shown no habit, nor of another vendor', async t => {
  const { cli, open, file } = await world(t)
  const { set } = await open()
  await set.close()
  const record = await readQuotaFile(file)
  const another: KeptHabits = { of: 'dyte api.dyte.io', refusesSecondStart: true, failsForMs: 0 }
  for (const habits of [record?.habits, undefined, another]) {
    writeFileSync(file, JSON.stringify({ ...record, habits }))
    t.notMatch((await cli.run('doctor')).stdout, /^ok +habits/m)
  }
  writeFileSync(file, JSON.stringify({ ...record, habits: undefined }))
  t.notMatch((await cli.run('upstream', 'status')).stdout, /^habits/m)
  t.match(await cli.json('upstream', 'status'), [{ refuses_second_start: false, fails_when_nothing_is_live: false }])
})
