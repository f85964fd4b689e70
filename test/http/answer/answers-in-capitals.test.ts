import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { accountOf } from '../../support/account.ts'
import { gateway } from '../../support/gateway.ts'
import { sessionIds } from '../../support/http/helper.ts'

/** A vendor that writes the ids by which its answers refer to other things in capitals. */
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
      response.end(text.replace(/"(?:meeting_id|livestream_id|associated_id)":"[^"]+"/g, inCapitals))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const { port } = server.address() as AddressInfo
    const url = `http://127.0.0.1:${port}${new URL(simulator.url).pathname}`
    config.upstreams = [accountOf({ ...simulator, url })]
  }
})
const { asAcme, meeting, simulator } = world

function inCapitals(field: string): string {
  const [name, id = ''] = field.split('":"')
  return `${name}":"${id.toUpperCase()}`
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
