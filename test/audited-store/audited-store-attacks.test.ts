import t from 'tap'
import { auditedWorld, dayMs, worker } from '../support/audit/store-helper.ts'

/** Somebody writes into the file while a gateway runs, which has the key that he lacks. He does not get it to sign what he wrote. */
async function running(t: Parameters<typeof auditedWorld>[0]) {
  const world = await auditedWorld(t)
  const gateway = await world.open()
  const { checkpointer, keys } = gateway.audited
  await gateway.append(10, world.clock.now() - 2 * dayMs)
  await checkpointer.sign()
  const copy = gateway.published[0]?.note ?? ''
  await gateway.append(10)
  await checkpointer.sign()
  const proof = () => world.proof(keys.signer.publicKey, [copy])
  return { ...world, ...gateway, checkpointer, proof }
}

const changed = { message: 'event 20 is not the one that was signed: somebody has changed the audit log' }

t.test('a running gateway signs no log that was written again behind its back', async t => {
  const { checkpointer, rewrite, tamper, notes, append, proof, clock } = await running(t)
  rewrite(15)
  tamper('delete from audit_checkpoints where seq > 10')
  await t.rejects(checkpointer.sign(), changed)
  clock.advance(30_000)
  await append(1)
  await t.rejects(checkpointer.sign(), changed, 'nor what comes after it')
  await checkpointer.close()
  t.strictSame(
    (await notes()).map(({ seq }) => seq),
    [10]
  )
  t.match(await proof(), { seq: 11, why: /^no checkpoint vouches for it/ })
})

t.test('a running gateway signs no log whose end was cut off behind its back, whatever is said of a cut', async t => {
  const { checkpointer, tamper, notes, append, troubles } = await running(t)
  tamper('delete from audit_events where seq > 10; delete from audit_checkpoints where seq > 10')
  await t.rejects(checkpointer.sign(), changed)
  const [note] = await notes()
  tamper(`insert into audit_checkpoints (kind, seq, time, note) values ('cut', 20, 0, '${note?.note}')`)
  await t.rejects(checkpointer.sign(), changed)
  await append(15)
  await t.rejects(checkpointer.sign(), changed, 'nor when it is longer than before')
  await checkpointer.close()
  t.strictSame(troubles, [changed.message], 'and it says so')
})

t.test('a prune by another process is no trouble to a running gateway', async t => {
  const { checkpointer, open, clock, proof, troubles } = await running(t)
  clock.advance(dayMs)
  const command = await open()
  t.match(await command.audited.prune(clock.now(), worker), { removed: 20, cutAt: 20 })
  await checkpointer.sign()
  t.match(await proof(), { firstSeq: 21, lastSeq: 21, signedSeq: 21, beforeTheCut: 1 })
  t.strictSame(troubles, [])
})

t.test('nothing is pruned that was made to look old, or signed, or that was changed', async t => {
  const { tamper, rewrite, audited, clock, events, notes } = await running(t)
  const before = clock.now() - dayMs
  const tables = ['audit_events', 'audit_checkpoints']
  for (const name of tables) tamper(`create table saved_${name} as select * from ${name}`)
  const restore = (): void => {
    for (const name of tables) tamper(`delete from ${name}; insert into ${name} select * from saved_${name}`)
  }

  const attacks: [name: string, attack: () => void, why: RegExp][] = [
    [
      'young events get an old time',
      () => tamper('update audit_events set time = 0 where seq > 10'),
      /event 11: time beside the event/
    ],
    [
      'a checkpoint is put where none was',
      () => tamper('update audit_checkpoints set seq = 9 where seq = 10'),
      /event 9: the checkpoint here is not signed/
    ],
    ['an old event is changed', () => rewrite(3), /event 10: is not what the checkpoint of/],
    ['an old event is removed', () => tamper('delete from audit_events where seq = 4'), /event 4: missing/]
  ]
  for (const [name, attack, why] of attacks) {
    attack()
    const attacked = [await events(), await notes()]
    await t.rejects(audited.prune(before, worker), { message: why }, name)
    t.strictSame([await events(), await notes()], attacked, 'nothing was removed, nothing signed')
    restore()
  }
  t.match(await audited.prune(before, worker), { removed: 10 }, 'the log as it was')
})
