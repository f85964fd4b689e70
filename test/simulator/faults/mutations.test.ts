import t from 'tap'
import type { Fault } from '../../../src/simulator/simulator.ts'
import { simulate } from '../../support/simulator/helper.ts'

const mutated = async (t: Parameters<typeof simulate>[0], mutate: NonNullable<Fault['mutate']>) => {
  const running = await simulate(t)
  const ids = await running.started()
  const get = async (path: string) => {
    running.simulator.failNext({ mutate })
    return (await running.call('GET', path)).json
  }
  return { ...running, ...ids, get, active: () => get(`/meetings/${ids.meeting}/active-livestream`) }
}

t.test('wrong_shape moves the data to where nobody looks for it', async t => {
  const { active, livestream } = await mutated(t, 'wrong_shape')
  const json = await active()
  t.match(json, { success: true, errors: [], result: { id: livestream } })
  t.notOk('data' in json)
})

t.test('null_data and list_data are no object', async t => {
  t.equal((await (await mutated(t, 'null_data')).active()).data, null)
  const { active, livestream } = await mutated(t, 'list_data')
  t.match((await active()).data, [{ id: livestream }])
})

t.test('other_meeting names another meeting wherever one is named', async t => {
  const { active, get, meeting, livestream } = await mutated(t, 'other_meeting')
  const { data } = await active()
  t.not(data.meeting_id, meeting)
  t.equal(data.id, livestream)
  t.not((await get(`/livestreams/${livestream}`)).data.livestream.meeting_id, meeting)
  t.not((await get('/livestreams')).data[0].meeting_id, meeting)
  t.not((await get(`/meetings/${meeting}/active-session`)).data.associated_id, meeting)
})

t.test("other_meeting gives a start's answer a meeting, since it has none", async t => {
  const { simulator, call } = await simulate(t)
  const { id } = simulator.addMeeting()
  simulator.failNext({ mutate: 'other_meeting' })
  const { status, json } = await call('POST', `/meetings/${id}/livestreams`)
  t.equal(status, 201)
  t.type(json.data.meeting_id, 'string')
  t.not(json.data.meeting_id, id)
  t.match(simulator.journal, [{ executed: true }])
})

t.test('other_id answers about another object', async t => {
  const { active, get, meeting, livestream } = await mutated(t, 'other_id')
  const { data } = await active()
  t.not(data.id, livestream)
  t.equal(data.meeting_id, meeting)
  t.not((await get(`/meetings/${meeting}`)).data.id, meeting)
})

t.test('unknown_status is a word that no contract knows', async t => {
  const { active, simulator } = await mutated(t, 'unknown_status')
  t.equal((await active()).data.status, 'PAUSED')
  t.match(simulator.livestreams(), [{ status: 'INVOKED' }], 'the truth stays')
})

t.test('an answer without a body cannot be changed', async t => {
  const { simulator, call } = await simulate(t)
  simulator.failNext({ status: 500, mutate: 'null_data' })
  t.match(await call('GET', '/livestreams'), { status: 500, text: '' })
})
