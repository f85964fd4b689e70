import { randomUUID } from 'node:crypto'
import t from 'tap'
import { gateway } from '../../support/gateway.ts'

/** The lines of the log that a call has left at its end. */
function linesOf(logs: string, requestId: string | undefined): Record<string, unknown>[] {
  const lines = logs.trim().split('\n')
  return lines.map(line => JSON.parse(line)).filter(line => line.request_id === requestId && 'type' in line)
}

const isChange = { method: 'PATCH', path: '/meetings/*' }

t.test("the operator's log has the vendor's reason once, and the caller has it not", async t => {
  const { asAcme, simulator, meeting, logs } = await gateway(t)
  const title = `Layoffs ${randomUUID()}`
  const message = `Maximum number of meetings reached for "${title}"`
  simulator.failNext({ match: isChange, status: 400, body: { success: false, error: { code: 400, message } } })
  const reply = await asAcme('PATCH', `/v2/meetings/${meeting}`, { title })
  const { error } = reply.json()
  t.match(error, { type: 'upstream_refused', outcome: 'failed' })
  t.notMatch(reply.body, /Maximum/)
  t.match(linesOf(logs(), error.request_id), [
    { upstream_status: 400, upstream_reason: 'Maximum number of meetings reached for "…"', level: 50 }
  ])
  t.equal(linesOf(logs(), error.request_id).length, 1)
  t.notOk(logs().includes(title))
})

t.test('a caller hears what is wrong with a field of its own body, in the words of the vendor', async t => {
  const { asAcme, simulator, meeting, logs } = await gateway(t)
  const body = { success: false, message: '[body] "title" is not allowed' }
  simulator.failNext({ match: isChange, status: 422, body })
  const reply = await asAcme('PATCH', `/v2/meetings/${meeting}`, { title: 'x' })
  const { error } = reply.json()
  t.equal(reply.statusCode, 400)
  t.match(error, { type: 'invalid_input', details: [{ field: 'body.title', message: 'is not allowed' }] })
  t.match(linesOf(logs(), error.request_id), [
    { upstream_status: 422, upstream_reason: '[body] "title" is not allowed' }
  ])
})

t.test('a refusal by Livegate itself has no reason of the vendor', async t => {
  const { asAcme, meeting, logs } = await gateway(t)
  const { error } = (await asAcme('PATCH', `/v2/meetings/${meeting}`, { title: 7 })).json()
  const [line] = linesOf(logs(), error.request_id)
  t.notOk(line && ('upstream_status' in line || 'upstream_reason' in line))
})

t.test('refused credentials keep their line of an error', async t => {
  const { asAcme, simulator, meeting, logs } = await gateway(t)
  simulator.failNext({ match: isChange, status: 401, body: { message: 'Unauthorized' } })
  const { error } = (await asAcme('PATCH', `/v2/meetings/${meeting}`, { title: 'x' })).json()
  t.match(error, { type: 'upstream_credentials_refused', outcome: 'not_sent' })
  t.match(linesOf(logs(), error.request_id), [{ level: 50, upstream_status: 401, upstream_reason: 'Unauthorized' }])
})
