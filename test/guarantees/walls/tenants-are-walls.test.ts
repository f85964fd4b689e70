import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { AuditEvent } from '../../../src/domain/audit/audit-event.ts'
import { meetingsIn } from '../../../src/store/tables/meetings.ts'
import { type Client, gateway, type Reply } from '../../support/gateway.ts'
import { documentedRoutes, endRank, fill, type Ids, sessionIds } from '../../support/http/helper.ts'
import { mutatingRoutes } from '../../support/http/mutating.ts'

// Refused calls on the route of a stop count as writes: there are more of them here than a tenant may do in a minute.
const writeLimit = { calls: 10_000, seconds: 60, burst: 10_000 }
const world = await gateway(t, { slowDisk: true, config: { writeLimit } })
const { app, asAcme, asGlobex, meeting, otherMeeting, simulator, store, directory, withKey, events } = world

/** A live meeting with its livestream, of which globex knows or knew. */
async function live(call: Client, meetingId: string): Promise<Required<Ids>> {
  const { statusCode, json } = await call('POST', `/v2/meetings/${meetingId}/livestreams`)
  if (statusCode !== 201) throw new Error(`not started: ${statusCode}`)
  simulator.addParticipant(meetingId)
  return sessionIds(call, { meeting_id: meetingId, livestream_id: json().data.id })
}

const documented = new Map(mutatingRoutes(world).map(({ operationId, body }) => [operationId, body]))

/** A body that the route takes; nothing where it may be empty. */
function bodyOf(operationId: string): object | undefined {
  const isNeeded = /^((kick|mute)Participants|updateRun|addParticipant)$/.test(operationId)
  return isNeeded ? documented.get(operationId) : documented.has(operationId) ? {} : undefined
}

/** The parts by which a caller can tell two answers apart: without count, date and id of the call. */
function visible({ statusCode, headers, body }: Reply): string {
  const { date: _date, ratelimit: _left, 'x-request-id': _id, ...rest } = headers
  return JSON.stringify([statusCode, Object.entries(rest), body.replace(/"request_id":"[^"]*"/, '')])
}

const acme = await live(asAcme, meeting)
const globex = await live(asGlobex, otherMeeting)
const released = await live(asGlobex, await assigned('globex'))
await meetingsIn(store).release(released.meeting_id, Date.now())
const handedOn = await live(asGlobex, await assigned('globex'))
await meetingsIn(store).release(handedOn.meeting_id, Date.now())
await meetingsIn(store).assign('acme', 'default', [handedOn.meeting_id], Date.now())
await directory.pull()

/** A new meeting at the vendor that belongs to this tenant. */
async function assigned(tenant: string): Promise<string> {
  const { id } = simulator.addMeeting({ title: `of ${tenant}` })
  await meetingsIn(store).assign(tenant, 'default', [id], Date.now())
  await directory.pull()
  return id
}

t.test("somebody else's meeting or livestream looks exactly like one that does not exist, on every route", async t => {
  const foreign = {
    "acme's": acme,
    "one of the vendor's that belongs to nobody": {
      meeting_id: simulator.addMeeting().id,
      livestream_id: randomUUID(),
      livestream_session_id: randomUUID(),
      session_id: randomUUID(),
      run_id: randomUUID(),
      participant_id: randomUUID()
    },
    'one that was taken away': released,
    'one that went to acme': handedOn,
    'one of another kind': {
      meeting_id: globex.livestream_id,
      livestream_id: globex.meeting_id,
      livestream_session_id: globex.session_id,
      session_id: globex.livestream_session_id,
      run_id: globex.livestream_id,
      participant_id: globex.meeting_id
    },
    'one that was never seen, asked for a second time': {
      meeting_id: 'unknown',
      livestream_id: 'unknown',
      livestream_session_id: 'unknown',
      session_id: 'unknown',
      run_id: 'unknown',
      participant_id: 'unknown'
    }
  }
  const wrongBodies = [{ titel: 1 }, '{"broken']
  const routes = documentedRoutes(app).filter(({ path }) => path.includes('{'))
  t.ok(routes.length >= 7)
  const before = simulator.journal.length
  for (const { method, path, operationId } of routes) {
    const methods = method === 'GET' ? ['GET', 'HEAD'] : [method, 'DELETE']
    for (const verb of methods) {
      // Those of which a field is needed: their body is never empty.
      const good = /^(updateRun|addParticipant)$/.test(operationId) ? [bodyOf(operationId)] : [undefined, {}]
      for (const body of method === 'GET' ? [undefined] : [...good, ...wrongBodies]) {
        const type = { 'content-type': 'application/json' }
        const ask = (ids: Ids) => asGlobex(verb, fill(path, ids), body, type)
        const missing = await ask({
          meeting_id: randomUUID(),
          livestream_id: randomUUID(),
          livestream_session_id: randomUUID(),
          session_id: randomUUID(),
          run_id: randomUUID(),
          participant_id: randomUUID()
        })
        // Nothing in a stop's body can be wrong, and a verb that no route takes is refused before its body.
        const isRemoval = verb === 'DELETE' && path.endsWith('{participant_id}')
        const unread = operationId === 'stopLivestream' || verb === 'DELETE'
        const refused = isRemoval ? body === wrongBodies[1] : wrongBodies.some(wrong => wrong === body) && !unread
        t.equal(missing.statusCode, refused ? 400 : 404, `${verb} ${operationId}`)
        for (const [what, ids] of Object.entries(foreign)) {
          t.equal(visible(await ask(ids)), visible(missing), `${verb} ${operationId} with ${what}`)
        }
      }
    }
  }
  t.equal(simulator.journal.length, before, 'and the vendor hears of none')
})

t.test('with its own ids every one of these routes works', async t => {
  const routes = documentedRoutes(app).filter(({ path }) => path.includes('{'))
  // Questions about what goes on come first, and then the calls that end it.
  routes.sort((a, b) => endRank(a) - endRank(b))
  for (const { method, path, operationId } of routes) {
    const { statusCode } = await asGlobex(method, fill(path, globex), bodyOf(operationId))
    t.ok(statusCode < 300, `${operationId}: ${statusCode}`)
  }
})

t.test("lists show what is the own tenant's, whatever is searched for", async t => {
  const ids = async (call: Client, path: string) =>
    (await call('GET', path)).json().data.map((one: { id: string }) => one.id)
  t.strictSame(await ids(asGlobex, '/v2/meetings'), [globex.meeting_id])
  t.strictSame(await ids(asGlobex, '/v2/livestreams'), [globex.livestream_id])
  t.strictSame((await ids(asAcme, '/v2/meetings')).sort(), [acme.meeting_id, handedOn.meeting_id].sort())
  t.ok((await ids(asAcme, '/v2/livestreams')).includes(acme.livestream_id))
  for (const search of [acme.meeting_id, 'Friday', '%', '_', "' or 1=1 --", '\\']) {
    t.strictSame(await ids(asGlobex, `/v2/meetings?search=${encodeURIComponent(search)}`), [], search)
  }
  const { total_count } = (await asGlobex('GET', '/v2/meetings?per_page=1')).json().paging
  t.equal(total_count, 1, 'nor does a count tell how many others there are')
})

t.test("a tenant's audit log holds its own events and nobody else's, refused strangers neither", async t => {
  const auditor = await withKey('globex', ['audit:read'])
  await world.as(null)('GET', `/v2/meetings/${otherMeeting}`)
  await asAcme('GET', `/v2/meetings/${otherMeeting}`, undefined, { 'x-request-id': 'acme-tries' })
  const all = await events()
  const shown: AuditEvent[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page = (await auditor.call('GET', `/gateway/audit-events?limit=50${cursor && `&cursor=${cursor}`}`)).json()
    shown.push(...page.data)
    cursor = page.next_cursor
  }
  const calls = shown.reduce((sum, { count }) => sum + (count ?? 1), 0)
  t.ok(calls > 50, `${calls} calls, equal refusals counted`)
  t.strictSame([...new Set(shown.map(({ unmapped }) => unmapped.tenant_id))], ['globex'])
  t.ok(
    all.some(({ metadata }) => metadata.correlation_uid === 'acme-tries'),
    'it is on record'
  )
  t.notOk(
    shown.some(({ metadata }) => metadata.correlation_uid === 'acme-tries'),
    'but not for globex to see'
  )
  // A refusal names the id of its own path, and that is all that it may tell of somebody else's livestream.
  const naming = shown.filter(event => JSON.stringify(event).includes(acme.livestream_id))
  t.ok(naming.length > 0)
  t.strictSame(
    [
      ...new Set(
        naming.map(({ status_detail, unmapped }) => `${unmapped.tenant_id} ${unmapped.outcome} ${status_detail}`)
      )
    ].sort(),
    ['globex refused invalid_input', 'globex refused livestream_not_found']
  )
})

t.test('the same id asked for by both at once is shown to its owner alone', async t => {
  const path = `/v2/livestreams/${acme.livestream_id}`
  const both = Array.from({ length: 40 }, (_, i) => (i % 2 ? asGlobex : asAcme)('GET', path))
  const statuses = (await Promise.all(both)).map(({ statusCode }) => statusCode)
  t.strictSame(
    statuses,
    Array.from({ length: 40 }, (_, i) => (i % 2 ? 404 : 200))
  )
})
