import { randomUUID } from 'node:crypto'
import t from 'tap'
import { says } from '../../support/campaigns/trouble.ts'
import { lockStore } from '../../support/faulty-store.ts'
import { gateway, type World } from '../../support/gateway.ts'

const wish = { custom_participant_id: 'guest', preset_name: 'livestream_viewer', name: 'Guest' }
const add = ({ asAcme, meeting }: World, body: object = wish) =>
  asAcme('POST', `/v2/meetings/${meeting}/participants`, body)

t.test('one that was added past Livegate is found in the list, also behind its first page', async t => {
  const world = await gateway(t)
  const { meeting, simulator } = world
  for (let i = 0; i < 100; i++) simulator.addParticipant(meeting, { custom_participant_id: `other-${i}` })
  const { id } = simulator.addParticipant(meeting, wish)
  const reply = await add(world)
  t.equal(reply.statusCode, 200)
  t.equal(reply.json().data.id, id)
  t.equal(says(await add(world, { ...wish, name: 'Mary' })), '409 participant_conflict not_sent')
})

t.test('those who search at once share the reading of the list, and a failed one is begun anew', async t => {
  const world = await gateway(t, { unmoved: true })
  const { meeting, simulator, upstream } = world
  const match = { method: 'GET', path: `/meetings/${meeting}/participants` }
  simulator.failNext({ match, status: 400, body: { success: false } })
  t.equal(says(await add(world)), '502 upstream_refused not_sent')
  const names = ['a', 'b', 'c', 'd']
  const replies = await Promise.all(names.map(name => add(world, { ...wish, custom_participant_id: name })))
  for (const { statusCode } of replies) t.equal(statusCode, 201)
  t.equal(upstream().filter(call => call.includes('participants?')).length, 2)
})

t.test('one that was removed is added anew, with Livegate or past it', async t => {
  const world = await gateway(t)
  const { asAcme, meeting, simulator } = world
  const first = (await add(world)).json().data
  const path = `/v2/meetings/${meeting}/participants/${first.id}`
  t.match((await asAcme('DELETE', path)).json(), { success: true, data: { custom_participant_id: 'guest' } })
  t.equal((await add(world)).statusCode, 201)
  t.equal(says(await asAcme('GET', path)), '404 participant_not_found')
  t.equal(simulator.participants(meeting).length, 1)
})

t.test('a list that has no end is read in part, and a lost answer stays unknown then', async t => {
  const world = await gateway(t, { unmoved: true })
  const { meeting, simulator, upstream } = world
  const match = { method: 'GET', path: `/meetings/${meeting}/participants` }
  const participant = () => ({ id: randomUUID(), custom_participant_id: 'other', preset_name: 'livestream_viewer' })
  const paging = { total_count: 100_000, start_offset: 1, end_offset: 1 }
  const body = { success: true, data: [participant()], paging }
  const recover = simulator.fail({ match, status: 200, body })
  t.equal((await add(world)).statusCode, 201)
  t.equal(upstream().filter(call => call.includes('participants?')).length, 50)
  simulator.failNext({ match: { ...match, method: 'POST' }, hangUp: true })
  const lost = { ...wish, custom_participant_id: 'lost' }
  t.match(says(await add(world, lost)), /unknown$/)
  t.equal(says(await add(world, lost)), '409 participant_unsettled not_sent')
  recover()
})

t.test('a store that cannot keep what the list shows lets nothing be sent', async t => {
  const world = await gateway(t)
  const { meeting, simulator, storeFile } = world
  simulator.addParticipant(meeting, { custom_participant_id: 'other' })
  const unlock = lockStore(storeFile)
  t.match(says(await add(world)), /^503 .* not_sent$/)
  unlock()
  t.equal((await add(world)).statusCode, 201)
})
