import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { type CommandLine, commandLine, refused } from '../support/cli.ts'

/** A command line with these upstreams in its list. */
function withList(t: Test, list: object[]): CommandLine {
  const folder = t.testdir()
  const file = join(folder, 'upstreams.json')
  writeFileSync(file, JSON.stringify(list))
  return commandLine(t, { DATABASE_URL: `sqlite:${join(folder, 'livegate.db')}`, LIVEGATE_UPSTREAMS_FILE: file })
}

const dyte = (name: string, more: object = {}) => ({
  name,
  provider: 'dyte',
  org_id: `org-${name}`,
  api_key: randomUUID(),
  ...more
})

t.test('a new tenant belongs to its own account, else to default, else to the only one', async t => {
  const own = withList(t, [dyte('default'), dyte('acme-own', { dedicated_to: 'acme' })])
  t.match(await own.json('tenant', 'create', 'acme'), { upstream: 'acme-own' })
  t.match(await own.json('tenant', 'create', 'globex'), { upstream: 'default' })
  const only = withList(t, [dyte('one'), dyte('own', { dedicated_to: 'somebody' })])
  t.match(await only.json('tenant', 'create', 'acme'), { upstream: 'one' })
  const several = withList(t, [dyte('one'), dyte('two')])
  const unclear = await several.run('tenant', 'create', 'acme')
  t.equal(unclear.code, 2)
  t.equal(refused(unclear), 'give --upstream, one of one, two')
  t.match(await several.json('tenant', 'create', 'acme', '--upstream', 'two'), { upstream: 'two' })
})

t.test('a tenant moves to an upstream that is there and open to it, and that is on record', async t => {
  const cli = withList(t, [dyte('default'), dyte('rtk'), dyte('theirs', { dedicated_to: 'globex' })])
  await cli.json('tenant', 'create', 'acme')
  t.match(await cli.json('tenant', 'move', 'acme', '--upstream', 'rtk'), { id: 'acme', upstream: 'rtk' })
  t.equal(
    (await cli.run('tenant', 'move', 'acme', '--upstream', 'default')).stdout,
    'moved tenant acme: what is new of it is made at default\n'
  )
  const missing = await cli.run('tenant', 'move', 'acme', '--upstream', 'none')
  t.equal(refused(missing), '--upstream: there is no upstream none; there is default, rtk, theirs')
  const foreign = await cli.run('tenant', 'move', 'acme', '--upstream', 'theirs')
  t.equal(foreign.code, 1)
  t.equal(refused(foreign), 'the upstream theirs is dedicated to the tenant globex')
  t.equal(refused(await cli.run('tenant', 'move', 'nobody', '--upstream', 'rtk')), 'there is no tenant nobody')
  t.match((await cli.json('tenant', 'list'))[0], { upstream: 'default' })
  const { stdout } = await cli.run('audit', 'export')
  t.equal(stdout.split('"operation":"moveTenant"').length, 3)
  t.match(stdout, '"resources":[{"type":"tenant","uid":"acme"},{"type":"upstream","uid":"rtk"}]')
})

t.test('a list that is broken is named as such, and nothing is changed', async t => {
  const cli = withList(t, [dyte('default'), dyte('rtk')])
  await cli.json('tenant', 'create', 'acme')
  writeFileSync(String(cli.env.LIVEGATE_UPSTREAMS_FILE), '[')
  for (const args of [
    ['move', 'acme'],
    ['create', 'other']
  ]) {
    const outcome = await cli.run('tenant', ...args, '--upstream', 'rtk')
    t.equal(outcome.code, 1)
    t.match(refused(outcome), /^LIVEGATE_UPSTREAMS_FILE must be a JSON list/)
  }
  t.match(await cli.json('tenant', 'create', 'early', '--upstream', 'default'), { upstream: 'default' })
})

t.test('a meeting is assigned where its tenant is, where it was before, or where it is said to be', async t => {
  const vendor = await createSimulator()
  t.teardown(() => vendor.close())
  const at = { base_url: vendor.url, org_id: vendor.org, api_key: vendor.key }
  const cli = withList(t, [dyte('default', at), dyte('rtk', { base_url: 'http://127.0.0.1:9/v2' })])
  await cli.json('tenant', 'create', 'acme')
  const { id } = vendor.addMeeting()
  const upstreamOf = async (meeting: string) =>
    (await cli.json('meeting', 'list')).find((one: { id: string }) => one.id === meeting).upstream

  await cli.json('meeting', 'assign', 'acme', id)
  t.equal(await upstreamOf(id), 'default')
  await cli.json('tenant', 'move', 'acme', '--upstream', 'rtk')
  await cli.json('meeting', 'release', id)
  await cli.json('meeting', 'assign', 'acme', id)
  t.equal(await upstreamOf(id), 'default', 'no vendor can have it but the one that had it')
  t.ok(vendor.journal.length > 0, 'and that one is asked whether it is live')

  const other = vendor.addMeeting().id
  await cli.json('meeting', 'assign', 'acme', other, '--upstream', 'default')
  t.equal(await upstreamOf(other), 'default')
  const unseen = randomUUID()
  const { stderr } = await cli.run('meeting', 'assign', 'acme', unseen)
  t.match(stderr, /note: the provider could not be asked/)
  t.equal(await upstreamOf(unseen), 'rtk')
  const wrong = await cli.run('meeting', 'assign', 'acme', unseen, '--upstream', 'none')
  t.match(refused(wrong), /^--upstream: there is no upstream none/)
})

t.test('an upstream that is no longer configured is no reason not to release its meetings', async t => {
  const cli = withList(t, [dyte('default', { base_url: 'http://127.0.0.1:9/v2' }), dyte('rtk')])
  await cli.json('tenant', 'create', 'acme', '--upstream', 'rtk')
  const id = randomUUID()
  await cli.run('meeting', 'assign', 'acme', id, '--force')
  writeFileSync(String(cli.env.LIVEGATE_UPSTREAMS_FILE), JSON.stringify([dyte('default')]))
  const { code, stderr } = await cli.run('meeting', 'release', id)
  t.equal(code, 0)
  t.match(stderr, /could not be asked whether .* is live \(there is no upstream rtk\)/)
})
