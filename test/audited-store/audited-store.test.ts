import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { AuditKeyError } from '../../src/audit/keys/key-files.ts'
import { openNote } from '../../src/audit/proof/note.ts'
import { readStatement } from '../../src/audit/proof/statements.ts'
import { replaceLostKeys } from '../../src/audited-store/key-changes.ts'
import type { Store } from '../../src/store/store.ts'
import { auditedWorld, dayMs, type Process, worker } from '../support/audit/store-helper.ts'
import { until } from '../support/until.ts'

const keyOf = ({ audited }: Process): string => audited.keys.signer.publicKey

t.test('two processes on one file write one chain, and both sign it', async t => {
  const { open, proof, events } = await auditedWorld(t)
  const [a, b] = [await open(), await open()]
  t.equal(keyOf(a), keyOf(b))
  for (let round = 0; round < 10; round++) {
    await Promise.all([
      a.append(3),
      b.append(2),
      a.audited.checkpointer.sign(),
      b.append(1),
      b.audited.checkpointer.sign()
    ])
  }
  await a.audited.checkpointer.sign()
  t.match(await proof(keyOf(a)), { firstSeq: 1, lastSeq: 60, signedSeq: 60 })
  t.strictSame(
    (await events()).map(({ seq }) => seq),
    Array.from({ length: 60 }, (_, i) => i + 1)
  )
  t.strictSame([...a.troubles, ...b.troubles], [])
})

t.test('the last checkpoint and the public key lie beside the data, whole, for whoever copies them away', async t => {
  const { open, read, notes, dataDir } = await auditedWorld(t)
  const process = await open()
  t.equal(read('audit-public-key.txt'), `${keyOf(process)}\n`)
  await process.append(5)
  await process.audited.checkpointer.sign()
  const [note] = await notes()
  t.equal(note?.seq, 5)
  t.equal(read('audit-checkpoint.txt'), note?.note)
  t.strictSame(process.published, [note])
  const files = ['audit-checkpoint.txt', 'audit-fingerprint.key', 'audit-public-key.txt', 'audit-signing.key']
  t.strictSame(readdirSync(dataDir).sort(), files)
})

t.test('a copy that cannot be put in its place is told of, and the log is signed all the same', async t => {
  const { open, notes, dataDir } = await auditedWorld(t)
  for (const name of ['audit-public-key.txt', 'audit-checkpoint.txt'])
    mkdirSync(join(dataDir, name), { recursive: true })
  const process = await open()
  t.match(process.troubles, [/audit-checkpoint.txt is no regular file$/, /^EISDIR/])
  await t.rejects(process.audited.checkpointer.sign(), { code: 'EISDIR' })
  t.strictSame(process.published, await notes())
  t.equal(process.published.length, 1)
  t.strictSame(
    readdirSync(dataDir).filter(name => name.startsWith('.')),
    [],
    'no draft is left'
  )
})

t.test('every 1,000 events that are appended are signed', async t => {
  const { open, notes } = await auditedWorld(t)
  const { append } = await open()
  await append(999)
  t.strictSame(await notes(), [])
  await append(1)
  await until(async () => (await notes()).length === 1)
})

t.test('after a rotation in one process the next checkpoint of another is signed with the new key', async t => {
  const { open, proof, notes, events } = await auditedWorld(t)
  const [a, b] = [await open(), await open()]
  const before = keyOf(a)
  await a.append(5)
  await b.audited.checkpointer.sign()
  const after = await a.audited.rotate(worker)
  t.not(after, before)
  await b.append(5)
  await b.audited.checkpointer.sign()
  await a.audited.checkpointer.sign()
  t.strictSame([keyOf(b), a.troubles, b.troubles], [after, [], []])

  const last = (await notes()).at(-1)
  t.match(readStatement(openNote(last?.note ?? '', after) ?? ''), { kind: 'checkpoint', head: { seq: 11 } })
  for (const key of [before, after]) t.match(await proof(key), { lastSeq: 11, signedSeq: 11 })
  const rotation = JSON.parse((await events())[5]?.event ?? '')
  t.match(rotation, { api: { operation: 'rotateAuditKey' }, actor: { user: { uid: 'alice' } } })
  const said = readStatement(openNote(rotation.unmapped.note, before) ?? '')
  t.strictSame(said?.keys, { before, after }, 'the key before has signed it')
  t.equal(keyOf(await open()), after)
})

t.test('one of several rotations at once wins, and its key is there', async t => {
  const { open, proof, dataDir } = await auditedWorld(t)
  const processes = await Promise.all(Array.from({ length: 5 }, () => open()))
  const [first] = processes as [Process]
  const before = keyOf(first)
  const tried = await Promise.allSettled(processes.map(({ audited }) => audited.rotate(worker)))
  const won = tried.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  const why = tried.flatMap(result => (result.status === 'rejected' ? [result.reason.message] : []))
  t.strictSame(why, Array(4).fill('another key signs the audit log by now'))
  t.equal(keyOf(await open()), won[0])
  t.match(await proof(before), { lastSeq: 1, signedSeq: 1 })
  t.equal(readdirSync(dataDir).filter(name => name.includes('next')).length, 0)
})

t.test('a crash after a rotation was written loses no key', async t => {
  const { open, proof } = await auditedWorld(t)
  const before = keyOf(await open())
  const dying = await open()
  const write = dying.store.engine.write.bind(dying.store.engine)
  dying.store.engine.write = async (...args) => {
    await write(...args)
    throw new Error('killed')
  }
  await t.rejects(dying.audited.rotate(worker), { message: 'killed' })
  const next = await open()
  t.not(keyOf(next), before)
  await next.audited.checkpointer.sign()
  t.match(await proof(before), { lastSeq: 1, signedSeq: 1 })
})

t.test('a log that was cut before a rotation is proved by the new key alone', async t => {
  const { open, proof, clock } = await auditedWorld(t)
  const { audited, append } = await open()
  await append(10, clock.now() - dayMs)
  await audited.checkpointer.sign()
  t.match(await audited.prune(clock.now() - 1, worker), { removed: 10, cutAt: 10 })
  const after = await audited.rotate(worker)
  t.match(await proof(after), { firstSeq: 11, lastSeq: 12 })
})

t.test('a log that was cut after a rotation is still proved by the key before', async t => {
  const { open, proof, clock } = await auditedWorld(t)
  const process = await open()
  const before = keyOf(process)
  await process.audited.rotate(worker)
  await process.append(3)
  await process.audited.checkpointer.sign()
  clock.advance(dayMs)
  t.match(await process.audited.prune(clock.now(), worker), { removed: 4, cutAt: 4 })
  t.match(await proof(before), { firstSeq: 5, lastSeq: 5, signedSeq: 5 })
})

t.test('without its keys a log does not go on', async t => {
  const { open, dataDir, read } = await auditedWorld(t)
  const before = keyOf(await open())
  for (const name of ['audit-signing.key', 'audit-fingerprint.key']) {
    const text = read(name)
    rmSync(join(dataDir, name))
    const refused = await open().catch(error => error)
    t.ok(refused instanceof AuditKeyError)
    t.match(refused.message, `${join(dataDir, name)} is missing`)
    writeFileSync(join(dataDir, name), text)
  }
  t.equal(keyOf(await open()), before, 'with them it does')
})

t.test('an older store is accepted, or lost keys replaced, only while nobody else writes into its log', async t => {
  const { open, dataDir, read } = await auditedWorld(t)
  const process = await open()
  await process.append(2)
  await process.audited.checkpointer.sign()
  const checkpoint = read('audit-checkpoint.txt')
  const { store, append } = process
  /** The same store, into which another process writes whenever somebody has looked where its log ends. */
  const busy: Store = {
    ...store,
    engine: {
      ...store.engine,
      async read(query) {
        const rows = await store.engine.read(query)
        if (query.sql.includes('order by "seq" desc')) await append(1)
        return rows
      }
    }
  }
  const refused = { message: 'another process writes into the audit log: try again without it' }
  // Another hash in the same place.
  const hash = Buffer.alloc(32, 1)
  writeFileSync(join(dataDir, 'audit-checkpoint.txt'), checkpoint.replace(/^.*=$/m, hash.toString('base64')))
  await t.rejects(open({ store: busy, acceptOlder: { hash: hash.toString('hex'), worker } }), refused)
  rmSync(join(dataDir, 'audit-signing.key'))
  await t.rejects(replaceLostKeys(busy, { dataDir }, worker, 0), refused)
  await replaceLostKeys(store, { dataDir }, worker, 0)
})

t.test(
  'a log that was cut is proved by the key that has replaced a lost one, and what was cut is not missed',
  async t => {
    const { open, proof, notes, clock, dataDir } = await auditedWorld(t)
    const { store, audited, append } = await open()
    const before = audited.keys.signer.publicKey
    await append(10, clock.now() - dayMs)
    await audited.checkpointer.sign()
    await audited.prune(clock.now() - 1, worker)
    rmSync(join(dataDir, 'audit-signing.key'))
    const { signing } = await replaceLostKeys(store, { dataDir }, worker, clock.now())
    const next = await open()
    await next.audited.checkpointer.sign()
    t.strictSame(next.troubles, [])
    const cuts = (await notes()).filter(({ kind }) => kind === 'cut')
    t.ok(openNote(cuts.at(-1)?.note ?? '', signing?.after ?? ''))
    t.match(await proof(before), { seq: 12, why: /^the signing key was lost, and replaced by alice/ })
  }
)
