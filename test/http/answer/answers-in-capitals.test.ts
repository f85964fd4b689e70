import { createServer } from 'node:http'
import t from 'tap'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { accountOf } from '../../support/account.ts'
import { gateway } from '../../support/gateway.ts'
import { sessionIds } from '../../support/http/helper.ts'
import { listen } from '../../support/listen.ts'
import { until } from '../../support/until.ts'

/** A vendor that writes ids in capitals: at first those by which its answers refer to other things. */
let inCapitals = ['meeting_id', 'livestream_id', 'associated_id']
const config: Record<string, unknown> = { readTtlMs: 0 }
const world = await gateway(t, {
  config,
  async before(_store, simulator) {
    const server = createServer(async (request, response) => {
      const sent = (await request.toArray()).join('')
      const answer = await fetch(new URL(request.url ?? '', simulator.url), {
        method: request.method ?? 'GET',
        headers: { authorization: request.headers.authorization ?? '', 'content-type': 'application/json' },
        ...(sent !== '' && { body: sent })
      })
      const text = await answer.text()
      response.writeHead(answer.status, { 'content-type': 'application/json' })
      response.end(text.replace(/"([a-z_]*id)":"([^"]+)"/g, written))
    })
    const port = await listen(t, server)
    const url = `http://127.0.0.1:${port}${new URL(simulator.url).pathname}`
    config.upstreams = [accountOf({ ...simulator, url })]
  }
})
const { asAcme, events, meeting, simulator, store } = world

function written(field: string, name: string, id: string): string {
  return inCapitals.includes(name) ? `"${name}":"${id.toUpperCase()}"` : field
}

t.test('a vendor that writes ids in capitals in some answers means the same meetings and livestreams', async t => {
  const path = `/v2/meetings/${meeting}`
  const ask = async (method: 'GET' | 'POST', target: string, status = 200) => {
    const reply = await asAcme(method, target)
    t.equal(reply.statusCode, status, `${method} ${target}: ${reply.body}`)
    t.notOk(reply.body.includes(meeting.toUpperCase()), 'the meeting is written as it is known')
    return reply.json().data
  }
  const { id } = simulator.startFromBrowser(meeting)
  t.match(await ask('GET', `${path}/active-livestream`), { id, meeting_id: meeting, stream_key: String })
  t.match(await ask('POST', `${path}/livestreams`), { id }, 'a start finds it')
  simulator.joinMeeting(meeting)
  const { livestream_session_id: run, session_id: session } = await sessionIds(asAcme, {
    meeting_id: meeting,
    livestream_id: id
  })
  await ask('GET', `${path}/active-session`)
  await ask('GET', `${path}/livestream`)
  await ask('GET', `/v2/livestreams/${id}`)
  await ask('GET', `/v2/livestreams/${id}/active-livestream-session`)
  await ask('GET', `/v2/livestreams/sessions/${run}`)
  await ask('GET', `/v2/sessions/${session}/livestream-sessions`)
  await ask('POST', `${path}/active-livestream/stop`)
  // A start whose answer is lost, where the lists alone tell.
  const match = { method: 'POST', path: '/meetings/*/livestreams' }
  simulator.failNext({ match, afterWork: true, status: 502, body: '' })
  simulator.fail({ match: { path: '/meetings/*/active-livestream' }, status: 500, body: { success: false } })
  await ask('POST', `${path}/livestreams`, 201)
})

t.test('a livestream has the id by which it is known in each answer, whatever its vendor writes by now', async t => {
  const { id: other } = simulator.addMeeting({})
  await meetingsIn(store).assign('acme', 'default', [other], Date.now())
  const path = `/v2/meetings/${other}`
  inCapitals = ['meeting_id']
  const { id } = (await asAcme('POST', `${path}/livestreams`)).json().data
  await asAcme('GET', `${path}/active-livestream`)
  simulator.joinMeeting(other)
  const { session_id: session } = await sessionIds(asAcme, { meeting_id: other, livestream_id: id })
  inCapitals = ['id', 'meeting_id', 'livestream_id']
  const answers = []
  for (const target of [
    `${path}/active-livestream`,
    `${path}/livestream`,
    `/v2/livestreams/${id}`,
    `/v2/livestreams/${id.toUpperCase()}`,
    `/v2/livestreams/${id}/active-livestream-session`,
    `/v2/sessions/${session}/livestream-sessions`,
    `${path}/livestreams`
  ])
    answers.push(await asAcme('GET', target))
  answers.push(await asAcme('POST', `${path}/livestreams`, {}, { 'x-request-id': 'live already' }))
  // Its `active-livestream` fails, so that its lists tell.
  const failing = simulator.fail({ match: { path: '/meetings/*/active-livestream', method: 'GET' }, status: 500 })
  answers.push(await asAcme('GET', `${path}/active-livestream`), await asAcme('POST', `${path}/livestreams`))
  failing()
  for (const { statusCode, body } of answers) {
    t.equal(statusCode, 200, body)
    t.ok(body.includes(id), body)
    t.notOk(body.includes(id.toUpperCase()), body)
  }
  t.notOk(JSON.stringify(await events()).includes(id.toUpperCase()), 'nor does the record have it otherwise')
})

t.test('a livestream whose vendor wrote it in capitals at first keeps them', async t => {
  const { id: other } = simulator.addMeeting({})
  await meetingsIn(store).assign('acme', 'default', [other], Date.now())
  const path = `/v2/meetings/${other}`
  inCapitals = ['id']
  const { id } = (await asAcme('POST', `${path}/livestreams`)).json().data
  t.equal(id, id.toUpperCase())
  inCapitals = []
  for (const target of [`${path}/active-livestream`, `${path}/livestream`])
    t.match((await asAcme('GET', target)).body, id, target)
  // The answer to its next start is lost: the list of the newest tells what it has begun.
  await asAcme('POST', `${path}/active-livestream/stop`)
  const match = { method: 'POST', path: '/meetings/*/livestreams' }
  simulator.failNext({ match, afterWork: true, status: 502, body: '' })
  simulator.fail({ match: { path: '/meetings/*/active-livestream', method: 'GET' }, status: 404, body: {} })
  const started = await asAcme('POST', `${path}/livestreams`)
  t.match(started.json().error, { outcome: 'unknown' })
  const starts = store.sql.selectFrom('operations').select('livestream_id').where('meeting_id', '=', other)
  const done = starts.where('kind', '=', 'start').where('state', '=', 'done')
  await until(async () => (await store.engine.read(done.compile())).length === 2, 20_000)
  t.strictSame(await store.engine.read(done.compile()), Array(2).fill({ livestream_id: id }))
})
