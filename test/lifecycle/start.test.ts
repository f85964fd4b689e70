import t from 'tap'
import { gateway } from '../support/gateway.ts'

t.test('a start answers 201 with the livestream, and only the live check and the start went upstream', async t => {
  const { asAcme, meeting, upstream } = await gateway(t)
  const reply = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`, { name: 'friday-show' })
  t.equal(reply.statusCode, 201)
  t.match(reply.json(), { success: true, data: { status: 'INVOKED', name: 'friday-show', meeting_id: meeting } })
  t.strictSame(upstream(), [
    `GET /v2/meetings/${meeting}/active-livestream`,
    `POST /v2/meetings/${meeting}/livestreams`
  ])
})

t.test('a start of a live meeting answers 200 with the same livestream and starts nothing', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  const first = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  const second = await asAcme('POST', `/v2/meetings/${meeting}/livestreams`)
  t.equal(second.statusCode, 200)
  t.equal(second.json().data.id, first.json().data.id)
  t.equal(simulator.livestreams()[0]?.starts, 1)
})

t.test('fifty starts at once start one livestream: one caller gets 201, the others 200', async t => {
  const { asAcme, meeting, simulator } = await gateway(t)
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => asAcme('POST', `/v2/meetings/${meeting}/livestreams`))
  )
  const statuses = replies.map(reply => reply.statusCode).sort()
  t.strictSame(statuses, [...Array(49).fill(200), 201])
  t.equal(new Set(replies.map(reply => reply.json().data.id)).size, 1)
  t.equal(simulator.journal.filter(({ method }) => method === 'POST').length, 1)
})
