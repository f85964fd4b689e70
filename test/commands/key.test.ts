import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { parseKey } from '../../src/domain/api-key.ts'
import { presets, scopes } from '../../src/domain/scope.ts'
import { keyUsesIn } from '../../src/store/tables/key-uses.ts'
import { commandLine, refused } from '../support/cli.ts'
import { addKey } from '../support/gateway.ts'
import fc from '../support/runner/properties.ts'
import { openStoreHere } from '../support/store.ts'

t.test('a key is printed once: neither the list nor the store holds it afterwards', async t => {
  const { run, json, storeFile } = commandLine(t)
  await json('tenant', 'create', 'acme')
  const made = await json('key', 'create', 'acme', '--preset', 'operator', '--name', 'front end')
  t.equal(parseKey(made.key)?.id, made.id)
  t.strictSame([...made.scopes].sort(), [...presets.operator].sort())
  t.match(made, { tenant_id: 'acme', name: 'front end', expires_at: null, revoked_at: null })

  const { key, ...listed } = made
  t.strictSame(await json('key', 'list', 'acme'), [{ ...listed, last_used_at: null }])
  const secret = key.slice('lgk_'.length + 12 + 1)
  const everything = [
    (await run('key', 'list')).stdout,
    (await run('key', 'list', '--json')).stdout,
    ...[storeFile, `${storeFile}-wal`].filter(existsSync).map(file => readFileSync(file, 'latin1'))
  ].join('\n')
  t.ok(everything.includes(made.id))
  t.notOk(everything.includes(secret))
  t.notOk(everything.includes(secret.slice(0, 20)))
})

t.test('as text a key stands alone on standard output, and what it is for beside it', async t => {
  const { run, json } = commandLine(t)
  await json('tenant', 'create', 'acme')
  const { stdout, stderr } = await run('key', 'create', 'acme', '--preset', 'viewer')
  const id = parseKey(stdout.replace(/\n$/, ''))?.id
  t.ok(id)
  t.equal(stderr, `key ${id} of acme: livestreams:read, meetings:read. It is shown this once; keep it safe.\n`)
})

t.test('a key has the scopes of its preset and those that are named, in one order and once each', async t => {
  const { json } = commandLine(t)
  await json('tenant', 'create', 'acme')
  const of = async (...options: string[]) => (await json('key', 'create', 'acme', ...options)).scopes
  t.strictSame(await of('--preset', 'viewer'), ['livestreams:read', 'meetings:read'])
  t.strictSame(await of('--preset', 'owner'), scopes)
  t.strictSame(await of('--scope', 'audit:read'), ['audit:read'])
  const many = ['--scope', 'stream-key:read', '--preset', 'viewer', '--scope', 'livestreams:read']
  t.strictSame(await of(...many), ['livestreams:read', 'stream-key:read', 'meetings:read'])
  const names = (await json('key', 'list')).map(({ name }: { name: string }) => name)
  t.strictSame(names.sort(), ['key', 'owner', 'viewer', 'viewer'], 'without a name a key is called by its preset')
})

t.test('a key ends when it was said: minutes, hours or days from now', async t => {
  const { run, json } = commandLine(t)
  await json('tenant', 'create', 'acme')
  const cases = { '1m': 60_000, '12h': 12 * 3_600_000, '90d': 90 * 86_400_000, '3650d': 3_650 * 86_400_000 }
  for (const [text, ms] of Object.entries(cases)) {
    const key = await json('key', 'create', 'acme', '--preset', 'viewer', '--expires', text)
    t.equal(Date.parse(key.expires_at) - Date.parse(key.created_at), ms, text)
  }
  t.match((await run('key', 'list')).stdout, /^id +tenant +name +state +successor of +used +expires +scopes$/m)
  t.match(
    (await run('key', 'list')).stdout,
    /^\w{12} +acme +viewer +active +- +- +\d{4}-\S+Z +livestreams:read,meetings:read$/m
  )
})

t.test('a key whose time is over is listed as expired', async t => {
  const { run, json, storeFile } = commandLine(t)
  await json('tenant', 'create', 'acme')
  const store = await openStoreHere(storeFile)
  const { id } = await addKey(store, 'acme', ['livestreams:read'], { expiresAtMs: Date.now() - 1 })
  await store.close()
  t.match((await run('key', 'list')).stdout, new RegExp(`^${id} +acme +test +expired `, 'm'))
})

t.test('any other duration is refused', async t => {
  const { run, json } = commandLine(t)
  await json('tenant', 'create', 'acme')
  const other = fc.oneof(
    fc.constantFrom('', '0d', '3651d', '9999999d', '90', 'd', '1.5h', '-1d', '1w', '01d', '90D', ' 1d', '1d\n'),
    fc.string().filter(text => !/^[1-9]\d*[mhd]$/.test(text))
  )
  await fc.assert(
    fc.asyncProperty(other, async text => {
      const outcome = await run('key', 'create', 'acme', '--preset', 'viewer', `--expires=${text}`)
      t.equal(outcome.code, 2, JSON.stringify(text))
      t.equal(refused(outcome), '--expires must be like 30m, 12h or 90d, at most 3650d')
    })
  )
  t.strictSame(await json('key', 'list'), [])
})

t.test('a key for nobody, or for nothing, is not made', async t => {
  const { run, json } = commandLine(t)
  await json('tenant', 'create', 'acme')
  const refusals: [string[], number, RegExp][] = [
    [['acme'], 2, /^give --preset viewer\|operator\|owner or --scope <scope>/],
    [['acme', '--preset', 'admin'], 2, /^--preset must be one of viewer, operator, owner$/],
    [['acme', '--preset', 'constructor'], 2, /^--preset must be one of/],
    [['acme', '--scope', 'livestreams:all'], 2, /^--scope: livestreams:all is none of livestreams:read, /],
    [['acme', '--scope', 'audit:read', '--scope', ''], 2, /^--scope: {2}is none of/],
    [['acme', '--preset', 'viewer', '--name', ''], 2, /^--name must have 1 to 200 characters/],
    [['globex', '--preset', 'viewer'], 1, /^there is no tenant globex$/]
  ]
  for (const [args, code, message] of refusals) {
    const outcome = await run('key', 'create', ...args)
    t.equal(outcome.code, code, args.join(' '))
    t.match(refused(outcome), message)
  }
  t.strictSame(await json('key', 'list'), [])
})

t.test('keys are listed for one tenant or for all; a tenant that does not exist is said', async t => {
  const { run, json } = commandLine(t)
  for (const id of ['acme', 'globex']) await json('tenant', 'create', id)
  t.equal((await run('key', 'list')).stdout, 'no keys\n')
  for (const id of ['acme', 'globex']) {
    await json('key', 'create', id, '--preset', 'viewer')
  }
  const owners = async (...args: string[]) =>
    (await json('key', 'list', ...args)).map(({ tenant_id }: { tenant_id: string }) => tenant_id)
  t.strictSame(await owners(), ['acme', 'globex'])
  t.strictSame(await owners('globex'), ['globex'])
  const unknown = await run('key', 'list', 'glob')
  t.equal(unknown.code, 1)
  t.equal(refused(unknown), 'there is no tenant glob')
})

t.test('a key is revoked once, by its id and never by the key itself', async t => {
  const { run, json } = commandLine(t)
  await json('tenant', 'create', 'acme')
  const { id, key } = await json('key', 'create', 'acme', '--preset', 'viewer')
  for (const bad of [key, key.slice(4), `lgk_${id}`, id.slice(1), `${id}0`, '']) {
    const outcome = await run('key', 'revoke', bad)
    t.equal(outcome.code, 2)
    t.equal(refused(outcome), 'a key id is the 12 characters after lgk_; never give the whole key')
  }
  t.strictSame(await json('key', 'revoke', id), { id, revoked: true, successors: [] })
  t.match((await run('key', 'list')).stdout, new RegExp(`^${id} +acme +viewer +revoked `, 'm'))
  const again = await run('key', 'revoke', id)
  t.equal(again.code, 1)
  t.equal(refused(again), `the key ${id} was revoked before`)
  const unknown = await run('key', 'revoke', 'A'.repeat(12))
  t.equal(unknown.code, 1)
  t.equal(refused(unknown), `there is no key ${'A'.repeat(12)}`)
})

t.test('a rotated key is followed by its successor, which the list shows with its last use', async t => {
  const { run, json, storeFile } = commandLine(t)
  await json('tenant', 'create', 'acme')
  const old = await json('key', 'create', 'acme', '--preset', 'viewer', '--name', 'studio', '--expires', '90d')
  const { key, ...next } = await json('key', 'rotate', old.id, '--overlap', '2h')
  t.match(next, { name: 'studio', scopes: old.scopes, expires_at: old.expires_at, predecessor_id: old.id })
  t.equal(parseKey(key)?.id, next.id)
  const store = await openStoreHere(storeFile)
  await store.engine.write([keyUsesIn(store).used(next.id, Date.parse('2026-11-20T09:00:00Z'))])
  await store.close()
  const listed: Record<string, string>[] = await json('key', 'list', 'acme')
  const [before, after] = [old.id, next.id].map(id => listed.find(one => one.id === id))
  const overlapMs = Date.parse(before?.expires_at ?? '') - Date.parse(next.created_at)
  t.equal(overlapMs, 2 * 3_600_000)
  t.match(after, { predecessor_id: old.id, last_used_at: '2026-11-20T09:00:00.000Z' })
  t.match(
    (await run('key', 'list')).stdout,
    new RegExp(`^${next.id} +acme +studio +active +${old.id} +2026-11-20T09h `, 'm')
  )
  t.match(refused(await run('key', 'rotate', old.id)), /has a successor already/)

  const last = await json('key', 'rotate', next.id, '--expires', '365d')
  t.ok(Date.parse(last.expires_at) > Date.parse(old.expires_at), 'an operator may give it a later end')
  const revoked = await run('key', 'revoke', old.id)
  t.match(revoked.stdout, `revoked key ${old.id} and its successors `)
  for (const id of [next.id, last.id]) t.match(revoked.stdout, id)
  const states = (await json('key', 'list')).map((one: { revoked_at: string | null }) => one.revoked_at !== null)
  t.strictSame(states, [true, true, true])
})

t.test('as text the successor stands alone on standard output', async t => {
  const { run, json } = commandLine(t)
  await json('tenant', 'create', 'acme')
  const { id } = await json('key', 'create', 'acme', '--preset', 'viewer')
  const { stdout, stderr } = await run('key', 'rotate', id)
  t.ok(parseKey(stdout.replace(/\n$/, '')))
  t.match(stderr, new RegExp(`^key \\w{12} in the place of ${id}, which ends \\S+Z. It is shown this once`))
})

t.test('a key that is not there, or not valid, has no successor', async t => {
  const { run, json } = commandLine(t)
  await json('tenant', 'create', 'acme')
  const { id } = await json('key', 'create', 'acme', '--preset', 'viewer')
  await run('key', 'revoke', id)
  t.match(refused(await run('key', 'rotate', id)), `the key ${id} is revoked`)
  t.equal(refused(await run('key', 'rotate', '0'.repeat(12))), `there is no key ${'0'.repeat(12)}`)
  t.match(refused(await run('key', 'rotate', 'lgk_x')), /a key id is the 12 characters/)
  t.match(refused(await run('key', 'rotate', id, '--overlap', '10s')), /--overlap must be like/)
})
