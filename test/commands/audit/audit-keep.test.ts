import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { toAuditEvent } from '../../../src/audit/ocsf.ts'
import { openNote } from '../../../src/audit/proof/note.ts'
import { readStatement } from '../../../src/audit/proof/statements.ts'
import { openAudited } from '../../../src/audited-store/audited-store.ts'
import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import type { Store } from '../../../src/store/store.ts'
import { type CommandLine, commandLine, refused } from '../../support/cli.ts'
import { gateway } from '../../support/gateway.ts'
import { openStoreHere } from '../../support/store.ts'

const hourMs = 3_600_000
const days = ['2020-01-01', '2020-01-02', '2020-01-03']

/** An event in each hour of three days long ago, and a checkpoint at the end of each day. */
async function threeDays(store: Store, dataDir: string): Promise<void> {
  let nowMs = 0
  const clock = { now: () => nowMs, monotonic: () => nowMs }
  const onTrouble = (error: unknown): never => {
    throw error
  }
  const { events, checkpointer } = await openAudited({ store, places: { dataDir }, clock, onTrouble })
  const subject = { action: 'getMeeting', method: 'GET', tenantId: 'acme', keyId: 'k', address: null, requestId: 'r' }
  for (const day of days) {
    for (let hour = 0; hour < 24; hour++) {
      nowMs = Date.parse(day) + hour * hourMs
      const event = toAuditEvent({ ...subject, resources: [] }, { outcome: 'done', status: 200 }, nowMs)
      await store.engine.write([events.append(event)])
    }
    await checkpointer.sign()
  }
  await checkpointer.close()
}

/** A command line on such a store. */
async function old(t: Parameters<typeof commandLine>[0]) {
  const cli = commandLine(t)
  const beside = (name: string): string => join(dirname(cli.storeFile), name)
  const store = await openStoreHere(cli.storeFile)
  await threeDays(store, dirname(cli.storeFile))
  await store.close()
  const keep = (name: string): string => {
    const copy = beside(`kept-${name}`)
    writeFileSync(copy, readFileSync(beside(name)))
    return copy
  }
  return { ...cli, beside, keep, verify: (...args: string[]) => cli.json('audit', 'verify', ...args) }
}

async function lastEvent({ run }: Pick<CommandLine, 'run'>): Promise<AuditEvent> {
  const lines = (await run('audit', 'export')).stdout.trimEnd().split('\n')
  return JSON.parse(lines.at(-1) ?? '').event
}

t.test('older events are removed up to a checkpoint; the log is proved across the cut, which is signed', async t => {
  const { run, json, verify, keep, beside } = await old(t)
  const kept = keep('audit-checkpoint.txt')
  const { code, stdout } = await run('audit', 'prune', '--before', '2020-01-02T12:00:00Z')
  t.strictSame(
    [code, stdout],
    [0, 'removed 24 events; the log begins with event 25 now\n'],
    'no checkpoint lies between'
  )
  t.match(await verify('--checkpoint', kept), { first_seq: 25, last_seq: 73, signed_seq: 73, not_compared: 0 })

  const event = await lastEvent({ run })
  t.match(event, { api: { operation: 'pruneAudit' }, actor: { user: { type: 'Operator' } } })
  const opened = openNote(event.unmapped.note ?? '', readFileSync(beside('audit-public-key.txt'), 'utf8'))
  t.match(readStatement(opened ?? ''), { kind: 'cut', head: { seq: 24 } })

  t.strictSame(await json('audit', 'prune', '--before', '2020-01-04'), { removed: 48, first_seq: 73 })
  t.match(await verify('--checkpoint', kept), { first_seq: 73, last_seq: 74 })
  const later = await run('audit', 'prune', '--before', '2020-01-04')
  t.equal(later.stdout, 'nothing to remove: no checkpoint has only older events before it\n')
  t.strictSame(await json('audit', 'prune', '--before', '2020-01-04'), { removed: 0, first_seq: 73 })
})

t.test('a checkpoint about events that were removed since proves nothing any more, and verify says so', async t => {
  const { run, beside, json } = await old(t)
  const store = await openStoreHere(beside('livegate.db'))
  const [first] = await store.engine.read(
    store.sql.selectFrom('audit_checkpoints').select('note').orderBy('seq').limit(1).compile()
  )
  await store.close()
  writeFileSync(beside('first-day.txt'), first?.note ?? '')
  await json('audit', 'prune', '--before', '2020-01-03')
  const { code, stdout } = await run('audit', 'verify', '--checkpoint', beside('first-day.txt'))
  t.equal(code, 0)
  t.match(stdout, /^the audit log holds: events 49 to 73, .*\n1 of the checkpoints are about events that were pruned\n/)
})

t.test('only what is past can be removed', async t => {
  const { run, verify } = await old(t)
  const tomorrow = new Date(Date.now() + 24 * hourMs).toISOString()
  for (const [text, message] of [
    [tomorrow, '--before must not lie in the future'],
    ['last week', '--before must be ISO 8601 with its zone, like 2026-11-20T09:30:00Z, or a day'],
    ['2020-02-30', '--before must be ISO 8601 with its zone, like 2026-11-20T09:30:00Z, or a day']
  ] as const) {
    const outcome = await run('audit', 'prune', '--before', text)
    t.strictSame([outcome.code, refused(outcome)], [2, message])
  }
  t.match(await verify(), { first_seq: 1, last_seq: 72 })
})

t.test('another key signs from now on; the log is proved by the new one, and by who trusts the old one', async t => {
  const { run, json, verify, keep, beside } = await old(t)
  await json('audit', 'prune', '--before', '2020-01-02')
  const before = { trusted: keep('audit-public-key.txt'), secret: readFileSync(beside('audit-signing.key'), 'utf8') }
  const { code, stdout } = await run('audit', 'rotate-key')
  const [publicKey = '', ...rest] = stdout.split('\n')
  t.strictSame([code, rest], [0, ['signs from now on: keep a copy of it in another place', '']])
  t.equal(readFileSync(beside('audit-public-key.txt'), 'utf8'), `${publicKey}\n`)
  t.not(readFileSync(beside('audit-signing.key'), 'utf8'), before.secret)
  t.equal(statSync(beside('audit-signing.key')).mode & 0o777, 0o600)
  const left = readdirSync(beside('.')).filter(name => name.startsWith('audit-signing.key'))
  t.strictSame(left, ['audit-signing.key'], 'no other key is left')

  const event = await lastEvent({ run })
  const opened = openNote(event.unmapped.note ?? '', readFileSync(before.trusted, 'utf8'))
  const oldKey = readFileSync(before.trusted, 'utf8').trim()
  t.match(readStatement(opened ?? ''), { kind: 'key', keys: { before: oldKey, after: publicKey } })
  const after = keep('audit-public-key.txt')
  const whole = { verified: true, first_seq: 25, last_seq: 74, signed_seq: 74 }
  for (const trusted of [before.trusted, after]) t.match(await verify('--public-key', trusted), whole)

  const { public_key } = await json('audit', 'rotate-key')
  t.equal(readFileSync(beside('audit-public-key.txt'), 'utf8').trim(), public_key)
  for (const trusted of [before.trusted, after]) t.match(await verify('--public-key', trusted), { last_seq: 75 })
})

t.test('beside a running gateway both work, and it goes on signing with the new key', async t => {
  const world = await gateway(t, { before: (store, _simulator, folder) => threeDays(store, folder) })
  const { asAcme, storeFile, close, logs } = world
  const { json } = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}` })
  t.match(await json('audit', 'prune', '--before', '2020-01-04'), { removed: 72 })
  const { public_key } = await json('audit', 'rotate-key')
  await asAcme('GET', '/v2/livestreams')
  const trusted = join(dirname(storeFile), 'trusted.txt')
  writeFileSync(trusted, public_key)
  await close()
  t.match(await json('audit', 'verify', '--public-key', trusted), { first_seq: 73, last_seq: 75, signed_seq: 75 })
  t.notMatch(logs(), /could not be signed/)
})

t.test('a log that somebody has changed is not cut: that would make it good', async t => {
  const { run, beside } = await old(t)
  const database = new Database(beside('livegate.db'))
  database.exec(`update audit_events set event = replace(event, 'acme', 'evil') where seq = 5`)
  database.close()
  const outcome = await run('audit', 'prune', '--before', '2020-01-02')
  const why = 'nothing was removed: the audit log does not hold at event 5: changed: its hash is another'
  t.strictSame([outcome.code, refused(outcome)], [1, why])
})

t.test('a key that was given by file is not replaced', async t => {
  const { run, verify, beside, storeFile } = await old(t)
  renameSync(beside('audit-signing.key'), beside('given.key'))
  const given = { DATABASE_URL: `sqlite:${storeFile}`, LIVEGATE_AUDIT_SIGNING_KEY_FILE: beside('given.key') }
  const outcome = await commandLine(t, given).run('audit', 'rotate-key')
  t.strictSame([outcome.code, refused(outcome)], [1, 'the signing key is given by file: it cannot be replaced here'])
  t.match(await verify(), { last_seq: 72 })
  t.equal((await commandLine(t, given).run('tenant', 'create', 'acme')).code, 0, 'it signs')
  t.equal((await run('tenant', 'create', 'globex')).code, 1, 'and without it nothing is changed')
})

t.test('without its keys nothing is changed, and the log can still be read and proved', async t => {
  const { run, json, verify, beside } = await old(t)
  for (const name of ['audit-signing.key', 'audit-fingerprint.key']) {
    renameSync(beside(name), beside('away'))
    for (const line of ['tenant create acme', 'audit rotate-key', 'audit prune --before 2020-01-02']) {
      const outcome = await run(...line.split(' '))
      t.equal(outcome.code, 1)
      t.match(refused(outcome), `${beside(name)} is missing: restore it from a backup`)
    }
    t.match(await verify(), { first_seq: 1, last_seq: 72 })
    t.strictSame(await json('tenant', 'list'), [])
    t.notOk(existsSync(beside(name)), 'no other is made instead')
    renameSync(beside('away'), beside(name))
  }
  t.equal((await run('tenant', 'create', 'acme')).code, 0)
})
