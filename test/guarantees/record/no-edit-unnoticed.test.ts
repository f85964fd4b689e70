import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { writeHead, writeKeyChange } from '../../../src/audit/proof/statements.ts'
import { openAudited } from '../../../src/audited-store/audited-store.ts'
import type { StoredNote } from '../../../src/domain/audit/audit-chain.ts'
import { cutOf, eventOf, newSigner, startMs, timeOf } from '../../support/audit/helper.ts'
import { rewriteFrom } from '../../support/audit/store-helper.ts'
import { commandLine } from '../../support/cli.ts'
import { openStoreHere } from '../../support/store.ts'

/**
 * Bar A3 with the real command on a real file: whoever may write into the store and the data folder, but has neither the signing
 * key nor the copies that are kept elsewhere, changes nothing unnoticed. Many more edits are in `audit/verify-edits.test.ts`.
 */
const folder = t.testdir({ log: {}, other: {}, elsewhere: {} })
const count = 1_000
const evil = newSigner()

/** A log of 1,000 events in 100 s, with a checkpoint every 100; the copies that are kept elsewhere are those of event 500. */
async function makeLog(name: string) {
  const file = join(folder, name, 'livegate.db')
  const store = await openStoreHere(file)
  let nowMs = startMs
  const clock = { now: () => nowMs, monotonic: () => nowMs }
  const onTrouble = (error: unknown) => t.fail(String(error))
  const audited = await openAudited({ store, places: { dataDir: dirname(file) }, clock, onTrouble })
  for (let seq = 1; seq <= count; seq += 100) {
    const hundred = Array.from({ length: 100 }, (_, i) => eventOf({ timeMs: timeOf({ seq: seq + i }) }))
    await store.engine.write(hundred.map(audited.events.append))
    nowMs = timeOf({ seq: seq + 99 })
    await audited.checkpointer.sign()
    if (seq !== 401) continue
    for (const copy of ['audit-checkpoint.txt', 'audit-public-key.txt']) {
      cpSync(join(folder, name, copy), join(folder, 'elsewhere', `${name}-${copy}`))
    }
  }
  await audited.checkpointer.close()
  await store.close()
  return audited.keys.signer
}
const owner = await makeLog('log')
await makeLog('other')
const elsewhere = (name: string): string => join(folder, 'elsewhere', `log-${name}`)
const copies = ['--public-key', elsewhere('audit-public-key.txt'), '--checkpoint', elsewhere('audit-checkpoint.txt')]

interface Attacked {
  database: Database.Database
  /** Beside the store. */
  path(name: string): string
  /** The log's name. */
  log: string
}

const one = 'where seq = 137'
const columns = 'time, tenant_id, action, outcome, request_id, event, prev_hash, hash'
const sql =
  (...statements: string[]) =>
  ({ database }: Attacked) => {
    for (const statement of statements) database.exec(statement)
  }
const set = (change: string, which = one) => sql(`update audit_events set ${change} ${which}`)
const removed = (which: string) => sql(`delete from audit_events where ${which}`)
const replacedByOther = (which: string) =>
  sql(
    `attach '${join(folder, 'other', 'livegate.db')}' as other`,
    `insert or replace into audit_events select * from other.audit_events where ${which}`
  )
const oneMoreAt = (place: string) =>
  sql(`insert into audit_events (seq, ${columns}) select ${place}, ${columns} from audit_events ${one}`)
const hashAt = ({ database }: Attacked, seq: number) =>
  String(database.prepare('select hash from audit_events where seq = ?').pluck().get(seq))
const signedByEvil = (attacked: Attacked, seq: number): StoredNote => {
  const text = writeHead('checkpoint', attacked.log, { seq, hash: hashAt(attacked, seq) }, timeOf({ seq }))
  return { kind: 'checkpoint', seq, timeMs: timeOf({ seq }), note: evil.sign(text) }
}
function put({ database }: Attacked, { kind, seq, timeMs, note }: StoredNote): void {
  const insert = 'insert or replace into audit_checkpoints (kind, seq, time, note) values (?, ?, ?, ?)'
  database.prepare(insert).run(kind, seq, timeMs, note)
}

/** Edits, each with the event that has to be named; null when it is the whole log that is not what it should be. */
const edits: [what: string, edit: (attacked: Attacked) => void, named: number | null][] = [
  ['a word in an event', set(`event = replace(event, 'acme', 'evil')`), 137],
  ['a digit in an event', set(`event = replace(event, '"status_code":"200"', '"status_code":"201"')`), 137],
  ['the time beside it', set('time = time + 1'), 137],
  ['the tenant beside it', set('tenant_id = null'), 137],
  ['the operation beside it', set(`action = 'other'`), 137],
  ['the outcome beside it', set(`outcome = 'failed'`), 137],
  ['the request id beside it', set(`request_id = 'x'`), 137],
  ['its hash', set('hash = upper(hash)'), 137],
  ['the hash before', set(`prev_hash = ''`), 137],
  ['an event as bytes, which no query finds', set('event = cast(event as blob)'), 137],
  ['an event removed', removed('seq = 137'), 137],
  ['a hundred removed', removed('seq between 101 and 200'), 101],
  ['the end removed', removed('seq > 900'), 901],
  [
    'the end removed, with its checkpoints',
    sql('delete from audit_events where seq > 400', 'delete from audit_checkpoints where seq > 400'),
    401
  ],
  ['the beginning removed', removed('seq <= 100'), 1],
  ['everything removed', sql('delete from audit_events', 'delete from audit_checkpoints'), 1],
  [
    'two exchanged',
    sql(
      'update audit_events set seq = -1 where seq = 300',
      `update audit_events set seq = 300 ${one}`,
      'update audit_events set seq = 137 where seq = -1'
    ),
    137
  ],
  ['an event once more at the end', oneMoreAt('1001'), 1_001],
  ['an event of another log in its place', replacedByOther('seq = 137'), 137],
  ['forty of another log in their places', replacedByOther('seq between 120 and 159'), 120],
  ['another log in its place', ({ path }) => cpSync(join(folder, 'other'), path(''), { recursive: true }), null],
  ['everything written again', ({ database }) => rewriteFrom(database, 137), 200],
  [
    'everything written again, the later checkpoints removed, beside the store too',
    ({ database, path }) => {
      rewriteFrom(database, 601)
      database.exec('delete from audit_checkpoints where seq > 600')
      rmSync(path('audit-checkpoint.txt'))
    },
    601
  ],
  [
    'everything written again and signed with another key',
    attacked => {
      rewriteFrom(attacked.database, 601)
      for (const seq of [700, 800, 900, 1_000]) put(attacked, signedByEvil(attacked, seq))
    },
    700
  ],
  [
    'another key put in, as if it had signed before the right one',
    attacked => {
      const { log, path, database } = attacked
      rewriteFrom(database, 601)
      database.exec('delete from audit_checkpoints')
      const change = writeKeyChange(log, evil.publicKey, owner.publicKey, startMs)
      put(attacked, { kind: 'key', seq: 1_000, timeMs: startMs, note: evil.sign(change) })
      writeFileSync(path('audit-checkpoint.txt'), signedByEvil(attacked, 999).note)
    },
    null
  ],
  [
    'a cut that never was',
    attacked => {
      put(attacked, cutOf({ seq: 100, hash: hashAt(attacked, 100) }, evil))
      attacked.database.exec('delete from audit_events where seq <= 100')
    },
    100
  ],
  [
    'an old checkpoint in the place of a new one',
    sql('update audit_checkpoints set note = (select note from audit_checkpoints where seq = 100) where seq = 1000'),
    1_000
  ],
  [
    'all checkpoints removed, beside the store too',
    ({ database, path }) => {
      database.exec('delete from audit_checkpoints')
      rmSync(path('audit-checkpoint.txt'))
    },
    501
  ],
  ['the checkpoint beside the store', ({ path }) => writeFileSync(path('audit-checkpoint.txt'), 'nothing'), null],
  ['the name of the log', sql(`update meta set value = 'ffff' where name = 'audit_log'`), 100],
  ['the key in the store', sql(`update meta set value = '${evil.publicKey}' where name = 'audit_public_key'`), null],
  ['no key in the store', sql(`delete from meta where name = 'audit_public_key'`), null],
  ['an event more without a place, which only lists show', oneMoreAt('null'), null],
  ['an event more before the first', oneMoreAt('0'), null],
  ['an event more between two', oneMoreAt('7.5'), 8],
  ['an event more behind all numbers', oneMoreAt(`'x'`), null],
  [
    'an event twice in one place, where a page of the walk ends',
    sql(
      'create table twice as select * from audit_events',
      `insert into twice (seq, ${columns}) select 1000, ${columns} from audit_events ${one}`,
      'drop table audit_events',
      'alter table twice rename to audit_events'
    ),
    null
  ]
]

t.test('the log as it was written holds, with and without the copies', async t => {
  const cli = commandLine(t, { DATABASE_URL: `sqlite:${join(folder, 'log', 'livegate.db')}` })
  const facts = { verified: true, first_seq: 1, last_seq: count, signed_seq: count, not_compared: 0 }
  t.match(await cli.json('audit', 'verify'), { ...facts, checkpoints: 11 })
  t.match(await cli.json('audit', 'verify', ...copies), { ...facts, checkpoints: 12 })
})

for (const [what, edit, named] of edits) {
  t.test(`noticed: ${what}`, async t => {
    const place = join(t.testdir({ log: {} }), 'log')
    cpSync(join(folder, 'log'), place, { recursive: true })
    const path = (name: string): string => join(place, name)
    const database = new Database(path('livegate.db'))
    const log = `livegate.audit/${database.prepare(`select value from meta where name = 'audit_log'`).pluck().get()}`
    edit({ database, path, log })
    database.close()
    const cli = commandLine(t, { DATABASE_URL: `sqlite:${path('livegate.db')}` })
    const { code, stdout, stderr } = await cli.run('audit', 'verify', ...copies)
    t.strictSame([code, stdout], [1, ''])
    const where = named === null ? '(?!event)' : `event ${named}: `
    t.match(stderr, new RegExp(`^livegate: the audit log does not hold: ${where}[^\\n]+\\n$`))
  })
}
