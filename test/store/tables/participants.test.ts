import { randomUUID } from 'node:crypto'
import t from 'tap'
import { Conflict } from '../../../src/store/engine/engine.ts'
import { operationsIn } from '../../../src/store/tables/operations.ts'
import { participantsIn } from '../../../src/store/tables/participants.ts'
import { operationOf, refusalOf, storeWithTenants } from '../../support/store/helper.ts'

const meeting = { id: 'm1', upstream: 'default' }

t.test('a participant is known in the meeting that has shown it, in any case, and in no other', async t => {
  const { store } = await storeWithTenants(t)
  const participants = participantsIn(store)
  const id = randomUUID()
  await store.engine.write([participants.seen(meeting, [{ id, customFingerprint: 'f' }], 1)])
  t.equal(await participants.find(meeting, id.toUpperCase()), id)
  t.equal(await participants.find({ ...meeting, id: 'm2' }, id), null)
  t.equal(await participants.find({ ...meeting, upstream: 'other' }, id), null)
  const elsewhere = [{ id: id.toUpperCase(), customFingerprint: 'g' }]
  await store.engine.write([participants.seen({ ...meeting, id: 'm2' }, elsewhere, 2)])
  t.equal(await participants.find({ ...meeting, id: 'm2' }, id), null, 'it stays where it was shown first')
  t.equal(await participants.find(meeting, id), id)
})

t.test('participants are found by the fingerprint of their custom id, the first that was known first', async t => {
  const { store } = await storeWithTenants(t)
  const participants = participantsIn(store)
  await store.engine.write([participants.noneYet('f')])
  for (const [i, id] of ['b', 'a'].entries())
    await store.engine.write([participants.seen(meeting, [{ id, customFingerprint: 'f' }], i)])
  t.strictSame(await participants.withCustomId('f'), ['b', 'a'])
  t.type(await refusalOf(store.engine.write([participants.noneYet('f')])), Conflict)
  await store.engine.write([participants.gone('b')])
  t.strictSame(await participants.withCustomId('f'), ['a'])
  t.strictSame(await participants.withCustomId('g'), [])
})

t.test('one operation at most that adds a participant is open', async t => {
  const { store } = await storeWithTenants(t)
  const operations = operationsIn(store)
  const adding = () => operationOf('acme', { kind: 'add_participant', participant: 'f' })
  const first = adding()
  await store.engine.write([operations.sent(first)])
  t.match(await operations.openAdding('f'), { id: first.id, participant: 'f' })
  t.match(await refusalOf(store.engine.write([operations.sent(adding())])), { reason: /participant/ })
  await store.engine.write([operations.ended(first.id, { state: 'done' }, 1)])
  t.equal(await operations.openAdding('f'), null)
  await store.engine.write([operations.sent(adding())])
})
