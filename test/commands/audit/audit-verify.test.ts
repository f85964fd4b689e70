import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t from 'tap'
import { openAudited } from '../../../src/audited-store/audited-store.ts'
import { openStoreHere as openNewStore } from '../../../src/store/store.ts'
import { auditEventsIn } from '../../../src/store/tables/audit/audit-events.ts'
import { type CommandLine, commandLine, refused } from '../../support/cli.ts'
import { hourMs, manualClock } from '../../support/clock.ts'
import { gateway, type TestContext } from '../../support/gateway.ts'
import { eventOf } from '../../support/store/helper.ts'
import { openStoreHere } from '../../support/store.ts'

/** Beside the store. */
function besides({ storeFile }: Pick<CommandLine, 'storeFile'>, name: string): string {
  return join(dirname(storeFile), name)
}

/** A store in which a command has left so many events, each with its checkpoint, and the texts of these checkpoints. */
async function signedLog(t: TestContext, count = 3, env = {}) {
  const cli = commandLine(t, env)
  const notes: string[] = []
  await cli.json('tenant', 'create', 'acme')
  for (let i = 1; i <= count; i++) {
    if (i > 1) await cli.json('tenant', 'update', 'acme', '--name', `name ${i}`)
    notes.push(readFileSync(besides(cli, 'audit-checkpoint.txt'), 'utf8'))
  }
  const file = (name: string, text: string): string => {
    writeFileSync(besides(cli, name), text)
    return besides(cli, name)
  }
  return { ...cli, notes, file }
}

function execute(file: string, sql: string): void {
  const database = new Database(file)
  database.exec(sql)
  database.close()
}

t.test('a log that holds: exit code 0, how far it goes, and whose key was trusted', async t => {
  const cli = await signedLog(t)
  const own = await cli.run('audit', 'verify')
  t.strictSame([own.code, own.stderr], [0, ''])
  t.strictSame(own.stdout.split('\n'), [
    'the audit log holds: events 1 to 3, signed up to 3, 4 checkpoints',
    'the public key beside the log was trusted: give a copy from another place with --public-key',
    ''
  ])
  const facts = {
    verified: true,
    first_seq: 1,
    last_seq: 3,
    signed_seq: 3,
    checkpoints: 4,
    not_compared: 0,
    restores: [],
    lost_keys: []
  }
  t.strictSame(await cli.json('audit', 'verify'), { ...facts, own_key_trusted: true })

  const copy = cli.file('trusted.txt', readFileSync(besides(cli, 'audit-public-key.txt'), 'utf8'))
  const trusting = await cli.run('audit', 'verify', '--public-key', copy)
  t.equal(trusting.stdout, 'the audit log holds: events 1 to 3, signed up to 3, 4 checkpoints\n')
  t.match(await cli.json('audit', 'verify', '--public-key', copy), { verified: true, own_key_trusted: false })
})

t.test('a log that does not hold: exit code 1, and the first bad event with why, also as JSON', async t => {
  const cli = await signedLog(t)
  execute(cli.storeFile, `update audit_events set event = replace(event, 'acme', 'evil') where seq >= 2`)
  const why = 'changed: its hash is another'
  const text = await cli.run('audit', 'verify')
  t.equal(text.code, 1)
  t.equal(refused(text), `the audit log does not hold: event 2: ${why}`)
  const json = await cli.run('audit', 'verify', '--json')
  t.equal(json.code, 1)
  t.strictSame(JSON.parse(json.stdout), { verified: false, seq: 2, why })
  t.equal(json.stderr, text.stderr)
})

t.test('a row that stands in no place of the log is found too', async t => {
  const cli = await signedLog(t)
  const columns = 'time, tenant_id, action, outcome, request_id, event, prev_hash, hash'
  execute(
    cli.storeFile,
    `insert into audit_events (seq, ${columns}) select -seq, ${columns} from audit_events where seq = 3`
  )
  const outcome = await cli.run('audit', 'verify')
  t.equal(outcome.code, 1)
  t.equal(refused(outcome), 'the audit log does not hold: 1 more rows stand in the table, in no place of the log')
})

t.test('copies of checkpoints from other places: notes one after the other, several files, lines of a log', async t => {
  const { notes, file, json, run } = await signedLog(t, 4)
  const [first = '', second = '', third = '', fourth = ''] = notes
  const line = (checkpoint: string) => JSON.stringify({ level: 30, seq: 3, checkpoint, msg: 'audit checkpoint' })
  const together = file('together.txt', first + second)
  const single = file('single.txt', third)
  const logged = file(
    'gateway.log',
    `${line(second)}\nnot JSON at all\n2026-11-22T10:00:00Z host livegate: ${line(third)}\n{"msg":"cut ${line(fourth).slice(0, 60)}\n`
  )
  const checkpoints = async (...files: string[]) =>
    (await json('audit', 'verify', ...files.flatMap(name => ['--checkpoint', name]))).checkpoints
  const without = await checkpoints()
  t.equal((await checkpoints(together)) - without, 2)
  t.equal((await checkpoints(together, single)) - without, 3)
  t.equal((await checkpoints(logged)) - without, 2, 'what else stands there, and what is cut off, is passed over')

  const nothing = file('nothing.log', `{"msg":"x"}\n"checkpoint":"livegate.audit/0\\q"\n{"checkpoint":"x"}\n`)
  const outcome = await run('audit', 'verify', '--checkpoint', together, '--checkpoint', nothing)
  t.equal(outcome.code, 1)
  t.equal(refused(outcome), `${nothing} holds no checkpoint`)
})

t.test("a running gateway's log proves its events while it writes, and a copy of them later", async t => {
  const config = { readLimit: { calls: 100_000, seconds: 60, burst: 100_000 } }
  const { asAcme, logs, storeFile, close } = await gateway(t, { config })
  const cli = commandLine(t, { DATABASE_URL: `sqlite:${storeFile}` })
  const log = besides(cli, 'gateway.log')
  let writing = true
  const reads = (async () => {
    while (writing) await asAcme('GET', '/v2/livestreams')
  })()
  const seen: number[] = []
  while ((seen.at(-1) ?? 0) < 50) {
    writeFileSync(log, logs())
    seen.push((await cli.json('audit', 'verify', '--checkpoint', log)).last_seq)
  }
  writing = false
  await reads
  t.strictSame(
    seen,
    [...seen].sort((a, b) => a - b)
  )
  await close()

  const copy = besides(cli, 'copy')
  mkdirSync(copy)
  const there = commandLine(t, { DATABASE_URL: `sqlite:${join(copy, 'livegate.db')}` })
  const ends = ['', '-wal']
  for (const end of ends) copyFileSync(storeFile + end, there.storeFile + end)
  writeFileSync(log, logs())
  const proof = await there.json('audit', 'verify', '--checkpoint', log)
  t.ok(proof.last_seq >= 50)
  t.equal(proof.signed_seq, proof.last_seq, 'who ends signs all that was written')
  for (const end of ends) {
    t.strictSame(readFileSync(there.storeFile + end), readFileSync(storeFile + end), 'nothing of it is changed')
  }
})

t.test('an older copy that was put back is found, by any checkpoint that was kept in another place', async t => {
  const { notes, file, run, storeFile } = await signedLog(t, 2)
  const backup = `${storeFile}.backup`
  copyFileSync(storeFile, backup)
  const beside = besides({ storeFile }, 'audit-checkpoint.txt')
  await run('tenant', 'suspend', 'acme')
  const kept = file('kept.txt', readFileSync(beside, 'utf8'))
  copyFileSync(backup, storeFile)

  const missing =
    /^the audit log does not hold: event 3: missing: the checkpoint from outside of .+Z vouches for 3 events, 2 are there$/
  t.match(refused(await run('audit', 'verify')), missing, 'the file beside the store is such a copy')
  writeFileSync(beside, notes[1] ?? '')
  t.equal((await run('audit', 'verify')).code, 0, 'who puts back that one as well is not found here')
  t.match(refused(await run('audit', 'verify', '--checkpoint', kept)), missing)
})

t.test('another log is not taken for this one: neither its key nor its checkpoints', async t => {
  const cli = await signedLog(t)
  const other = await signedLog(t, 1, { DATABASE_URL: `sqlite:${besides(cli, 'other/livegate.db')}` })
  const theirs = (name: string) => besides(other, name)
  const says = async (...args: string[]) => {
    const outcome = await cli.run('audit', 'verify', ...args)
    return [outcome.code, refused(outcome)]
  }
  t.strictSame(await says('--public-key', theirs('audit-public-key.txt')), [
    1,
    'the audit log does not hold: the log is signed by another key than the trusted one'
  ])
  t.strictSame(await says('--checkpoint', theirs('audit-checkpoint.txt')), [
    1,
    "the audit log does not hold: a checkpoint from outside is not signed by this log's key"
  ])
  t.strictSame(await says('--public-key', cli.file('garbage.txt', 'garbage')), [
    1,
    'the audit log does not hold: the trusted key is no verifier key'
  ])
  t.equal((await cli.run('audit', 'verify')).code, 0)
})

t.test('a file that cannot be read is named', async t => {
  const cli = await signedLog(t)
  for (const option of ['--checkpoint', '--public-key']) {
    for (const file of [besides(cli, 'nothing.txt'), dirname(cli.storeFile)]) {
      const outcome = await cli.run('audit', 'verify', option, file)
      t.strictSame([outcome.code, refused(outcome)], [1, `${file} cannot be read`])
    }
  }
})

t.test('a log that nobody has signed yet proves nothing; nor does a copy that is not whole', async t => {
  const cli = commandLine(t)
  // Not the copy of an empty store that other tests open: its tables would be in the main file already.
  const store = await openNewStore(cli.storeFile)
  const outcome = await cli.run('audit', 'verify')
  t.strictSame([outcome.code, refused(outcome)], [1, 'this log was never signed: no gateway has served it yet'])

  const copy = besides(cli, 'copy.db')
  copyFileSync(cli.storeFile, copy)
  const half = await commandLine(t, { DATABASE_URL: `sqlite:${copy}` }).run('audit', 'verify')
  t.equal(half.code, 1)
  t.match(refused(half), `${copy} cannot be read: `, 'what was not written back yet is in the file -wal')
  await store.close()
})

t.test('an event after the clock was set is signed in a moment: that moment is waited for, and no longer', async t => {
  const cli = await signedLog(t)
  const store = await openStoreHere(cli.storeFile)
  t.teardown(() => store.close())
  const clock = manualClock()
  clock.step(hourMs)
  const places = { dataDir: dirname(cli.storeFile) }
  const audited = await openAudited({ store, places, clock, onTrouble: error => t.fail(String(error)) })
  await store.engine.write([auditEventsIn(store).append(eventOf({}, { outcome: 'done' }, clock.now()))])
  const late = await cli.run('audit', 'verify')
  t.strictSame(
    [late.code, refused(late)],
    [1, 'the audit log does not hold: event 4: no checkpoint vouches for it, nor for the 0 after it']
  )
  const [{ code, stdout }] = await Promise.all([
    cli.run('audit', 'verify'),
    sleep(200).then(() => audited.checkpointer.sign())
  ])
  t.equal(code, 0)
  t.match(stdout, /events 1 to 4, signed up to 4/)
})
