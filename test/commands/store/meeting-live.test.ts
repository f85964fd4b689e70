import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { livestreamsIn } from '../../../src/store/tables/livestreams.ts'
import { commandLine, refused } from '../../support/cli.ts'
import { environmentOf } from '../../support/config.ts'
import { gateway, type TestContext, type WorldOptions } from '../../support/gateway.ts'

/** A gateway, and a command line on its store with the vendor's credentials, as the operator of `serve` has them. */
async function world(t: TestContext, options: WorldOptions = {}) {
  const gate = await gateway(t, options)
  const vendor = environmentOf(gate.simulator)
  const on = (env: object) => commandLine(t, { DATABASE_URL: `sqlite:${gate.storeFile}`, ...env })
  return { ...gate, vendor, cli: on(vendor), withoutVendor: on({}), on }
}

const live = /live, or so when last seen \(stop first, or give --force\): /

t.test('a live meeting is released and assigned only with --force', async t => {
  const { asAcme, meeting, cli, simulator } = await world(t)
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  const kept = await cli.run('meeting', 'release', meeting)
  t.equal(kept.code, 1)
  t.match(refused(kept), live)
  t.ok(refused(kept).startsWith('not released; ') && refused(kept).endsWith(meeting))
  t.strictSame(await cli.json('meeting', 'release', meeting, '--force'), { id: meeting, released: true })

  const free = await cli.run('meeting', 'assign', 'globex', meeting, '--json')
  t.equal(free.code, 1)
  t.match(free.stderr, live)
  t.strictSame(JSON.parse(free.stdout), { tenant_id: 'globex', assigned: 0, unchanged: 0, taken: [], live: [meeting] })
  t.match(await cli.json('meeting', 'assign', 'globex', meeting, '--force'), { assigned: 1, live: [] })
  t.match(await cli.json('meeting', 'assign', 'globex', meeting), { unchanged: 1 }, 'its own is no question')
  t.equal(simulator.livestreams()[0]?.status, 'LIVE', 'none of this touched the livestream')
})

t.test('a run that a browser began is seen too, since the vendor is asked', async t => {
  const { cli, meeting, simulator } = await world(t)
  simulator.startFromBrowser(meeting)
  t.match(refused(await cli.run('meeting', 'release', meeting)), live)
  const { id } = simulator.addMeeting()
  simulator.startFromBrowser(id)
  t.match((await cli.run('meeting', 'assign', 'acme', id)).stderr, live)
})

t.test('a meeting that the vendor does not have is assigned with --force alone, and can be released', async t => {
  const { cli } = await world(t)
  const id = randomUUID()
  const outcome = await cli.run('meeting', 'assign', 'acme', id)
  t.equal(outcome.code, 1)
  t.equal(refused(outcome), `not assigned; the provider has no meeting ${id} (--force assigns it all the same)`)
  t.notMatch((await cli.run('meeting', 'list', 'acme')).stdout, id)
  t.equal((await cli.run('meeting', 'assign', 'acme', id, '--force')).code, 0)
  const { code, stderr } = await cli.run('meeting', 'release', id)
  t.strictSame([code, stderr], [0, `livegate: note: the provider has no meeting ${id}\n`])
})

t.test('a run that has ended by itself holds nothing back, whatever Livegate saw last', async t => {
  const { asAcme, cli, withoutVendor, meeting, simulator } = await world(t)
  const { data } = (await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json()
  await asAcme('GET', `/v2/meetings/${meeting}/active-livestream`)
  simulator.end(data.id)
  t.match(
    (await withoutVendor.run('meeting', 'release', meeting)).stderr,
    live,
    'without the vendor the last look counts'
  )
  t.strictSame(await cli.json('meeting', 'release', meeting), { id: meeting, released: true })
})

t.test('a run that is only starting counts, though the vendor may not show it yet', async t => {
  const { asAcme, cli, meeting } = await world(t, {
    simulator: { activeDuringInvoked: '404', liveAfterMs: 3_600_000 }
  })
  await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.match(refused(await cli.run('meeting', 'release', meeting)), live)
})

t.test('a start whose outcome is not known counts as live', async t => {
  const { asAcme, cli, meeting, simulator } = await world(t)
  simulator.failNext({ match: { method: 'POST' }, hangUp: true })
  t.match((await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)).json(), { error: { outcome: 'unknown' } })
  t.match(refused(await cli.run('meeting', 'release', meeting)), live)
})

t.test('a vendor that cannot be asked is a note, no failure', async t => {
  const { on, vendor, meeting, otherMeeting, simulator } = await world(t)
  const note = `livegate: note: the provider could not be asked whether ${meeting} is live`
  const missing = await on({ DYTE_ORG_ID: 'org' }).run('meeting', 'release', meeting, '--json')
  t.strictSame(missing, {
    code: 0,
    stdout: `{"id":"${meeting}","released":true}\n`,
    stderr: `${note} (DYTE_API_KEY is missing)\n`
  })
  simulator.failNext({ match: { method: 'GET' }, status: 500 })
  const failing = await on(vendor).run('meeting', 'assign', 'acme', meeting)
  t.equal(failing.code, 0)
  t.equal(failing.stdout, '1 assigned to acme, 0 were its own already\n')
  t.ok(failing.stderr.startsWith(`${note} (`) && failing.stderr.split('\n').length === 2, failing.stderr)
  const wrongKey = await on({ ...vendor, DYTE_API_KEY: randomUUID() }).run('meeting', 'release', otherMeeting)
  t.equal(wrongKey.code, 0)
  t.match(wrongKey.stderr, /could not be asked/)
})

t.test(
  'for a file only what Livegate saw last counts: no call to the vendor, and those that were live are left out',
  async t => {
    const { asAcme, cli, meeting, simulator, store, storeFile, upstream } = await world(t)
    await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
    await cli.json('meeting', 'release', meeting, '--force')
    const past = randomUUID()
    const ended = { id: randomUUID(), tenantId: 'acme', upstream: 'default', meetingId: past }
    await livestreamsIn(store).observe(ended, { id: ended.id, name: null, status: 'IDLE' }, Date.now())
    const fromBrowser = simulator.addMeeting().id
    simulator.startFromBrowser(fromBrowser)
    const file = `${storeFile}.ids`
    writeFileSync(file, [meeting, past, fromBrowser].join('\n'))
    const before = upstream().length
    const outcome = await cli.run('meeting', 'assign', 'globex', '--file', file, '--json')
    t.equal(outcome.code, 1)
    t.match(JSON.parse(outcome.stdout), { assigned: 2, taken: [], live: [meeting] })
    t.equal(
      outcome.stderr,
      `livegate: 1 not assigned; live, or so when last seen (stop first, or give --force): ${meeting}\n`
    )
    t.equal(upstream().length, before)
    t.match(await cli.json('meeting', 'assign', 'globex', '--file', file, '--force'), { assigned: 1, unchanged: 2 })
  }
)
