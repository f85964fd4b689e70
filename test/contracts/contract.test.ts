import t, { type Test } from 'tap'
import type { UpstreamAccount } from '../../src/domain/upstream-account.ts'
import { systemClock } from '../../src/domain/values/clock.ts'
import type { SimulatorOptions } from '../../src/simulator/simulator.ts'
import { sessionsIn } from '../../src/store/tables/sessions.ts'
import { tenantsIn } from '../../src/store/tables/tenants.ts'
import { openUpstream } from '../../src/upstream/account/open-upstream.ts'
import { accountOf, realtimekitAccountOf } from '../support/account.ts'
import { ContractDocument, misfits, type Operation } from '../support/contracts/document.ts'
import { type RecordedCall, recording } from '../support/contracts/recording.ts'
import { type Client, gateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'

interface Dialect {
  name: string
  document: ContractDocument
  simulator: SimulatorOptions
  /** Operations of the document that Livegate uses of this vendor. */
  used: string[]
  /** Operations that its document leaves out and contract#operations has: they are held against L2. */
  undescribed?: RegExp
}

const meeting = '/meetings/{meeting_id}'
const ofL1 = [
  'GET /livestreams',
  'POST /livestreams',
  `POST ${meeting}/livestreams`,
  `GET ${meeting}/active-livestream`,
  `POST ${meeting}/active-livestream/stop`,
  'POST /meetings',
  `GET ${meeting}`,
  `PATCH ${meeting}`,
  `GET ${meeting}/participants`,
  `POST ${meeting}/participants`,
  `PATCH ${meeting}/participants/{participant_id}`,
  `DELETE ${meeting}/participants/{participant_id}`,
  `POST ${meeting}/participants/{participant_id}/token`,
  'GET /presets/{preset_id}',
  `GET ${meeting}/participants/{participant_id}`,
  'GET /presets',
  'GET /webhooks',
  'POST /webhooks',
  'PATCH /webhooks/{webhook_id}',
  'DELETE /webhooks/{webhook_id}'
]
const putParticipant = `PUT ${meeting}/participants/{participant_id}`
const ofRealtimekit = [
  ...ofL1.filter(name => name !== 'POST /livestreams'),
  'GET /livestreams/{livestream_id}',
  'GET /livestreams/{livestream_id}/active-livestream-session',
  'GET /livestreams/sessions/{livestream-session-id}',
  `PUT ${meeting}`,
  putParticipant,
  `GET ${meeting}/active-session`,
  `POST ${meeting}/active-session/kick`,
  `POST ${meeting}/active-session/kick-all`
]
const ofL2 = [
  ...ofRealtimekit.filter(name => name !== putParticipant),
  'POST /livestreams',
  'PUT /livestreams/{livestream_id}/enable',
  'PUT /livestreams/{livestream_id}/disable',
  'POST /livestreams/{livestream_id}/reset-stream-key',
  `GET ${meeting}/livestream`,
  'GET /sessions/{session_id}/livestream-sessions'
]
const mutes = [`POST ${meeting}/active-session/mute`, `POST ${meeting}/active-session/mute-all`]

/** Answers that follow the vendor's own examples or prose, where its published schema disagrees. */
const contradictions: [operation: RegExp, misfit: RegExp, why: string][] = [
  [/livestream/, /\/disabled must be string$/, 'contract#livestream-disabled: true or false in all examples'],
  [/livestream/, /\/meeting_id must be string$/, 'contract#livestream: null where the livestream has no meeting'],
  [/livestream/, /\/(err_message|stopped_time) must be/, 'contract#livestream-session: null before there is one'],
  [
    /livestream/,
    /\/(ingest|viewer)_seconds must be (string|integer)$/,
    'contract#session-seconds: numbers, with fractions'
  ],
  [/active-session$/, /\/ended_at must be string$/, 'contract#active-session: null while it goes on'],
  [/livestream$/, /^\/data\/sessions must be object$/, 'contract#two-published-forms: an array in the example'],
  [/^GET \/livestreams$/, /^\/data must be object$/, 'contract#two-published-forms: an array in the example']
]

/** No file that is left described them before July 2023, but the vendor had them (contract#operations). */
const undescribedInL1 = /^(GET|POST) \/meetings\/\{meeting_id\}\/active-session/

const l2 = new ContractDocument('dyte-v2.openapi.json')
const g3 = new ContractDocument('cloudflare-realtimekit.openapi.json')
const dialects: Dialect[] = [
  {
    name: 'L1',
    document: new ContractDocument('dyte-v2-2023-06.openapi.json'),
    simulator: { contract: 'L1', participantPut: 'gone' },
    used: [...ofL1, 'GET /livestreams/{stream_id}', ...[...ofL2, ...mutes].filter(name => undescribedInL1.test(name))],
    undescribed: undescribedInL1
  },
  { name: 'L2', document: l2, simulator: { participantPut: 'gone' }, used: [...ofL2, ...mutes] },
  {
    name: 'L2 by its schemas',
    document: l2,
    simulator: { lists: 'schema', participantPut: 'gone' },
    used: [...ofL2, ...mutes]
  },
  { name: 'RealtimeKit', document: g3, simulator: { vendor: 'realtimekit' }, used: ofRealtimekit },
  {
    name: 'RealtimeKit with what was dropped',
    document: g3,
    simulator: { vendor: 'realtimekit', dropped: 'answer' },
    used: [...ofL2.filter(name => name !== `GET ${meeting}/livestream`), putParticipant, ...mutes],
    undescribed: /\/active-session\/mute/
  }
]

for (const { name, document, simulator, used, undescribed } of dialects) {
  t.test(`${name}: each call that Livegate makes is one of the contract's, and so is each answer`, async t => {
    const calls = await callEverything(t, simulator)
    const seen = new Set<string>()
    for (const call of calls) {
      const [path = '', query = ''] = relative(call).split('?')
      const elsewhere = l2.find(call.method, path)
      const isUndescribed = undescribed?.test(elsewhere?.name ?? '')
      const operation = isUndescribed ? elsewhere : document.find(call.method, path)
      if (operation === undefined) {
        // An operation that a vendor does not have is tried, and refused as such.
        if (call.status !== 404) t.fail(`${call.method} ${path} is not of this contract`)
        continue
      }
      if (call.status < 300) seen.add(operation.name)
      checkRequest(t, operation, call, query)
      checkAnswer(t, operation, call)
    }
    t.strictSame([...seen].sort(), [...used].sort())
  })
}

/** A whole life: meetings, livestreams, runs, people, and the end. Gives what the vendor was asked. */
async function callEverything(t: Test, options: SimulatorOptions): Promise<RecordedCall[]> {
  const config: Record<string, unknown> = {}
  let calls: RecordedCall[] = []
  const { asAcme, simulator, store, directory } = await gateway(t, {
    simulator: options,
    config,
    async before(_store, simulator) {
      const wire = await recording(t, simulator.url)
      calls = wire.calls
      const at = { ...simulator, url: wire.url }
      const account = options.vendor === 'realtimekit' ? realtimekitAccountOf(at) : accountOf(at)
      config.upstreams = [account]
      await registerWebhooks(account)
    }
  })
  const dataOf = async (...call: Parameters<Client>) => (await asAcme(...call)).json().data
  const made = await dataOf('POST', '/v2/meetings', { title: 'Contract', record_on_start: false })
  const own = `/v2/meetings/${made.id}`
  await asAcme('PATCH', own, { title: 'Changed', status: 'ACTIVE' })
  await asAcme('PUT', own, { title: 'Replaced', live_stream_on_start: false })
  await asAcme('GET', own)
  await tenantsIn(store).update('acme', { presetRule: { serverStartsOnly: true } }, Date.now())
  await directory.pull()
  const wish = { custom_participant_id: 'guest', preset_name: 'livestream_viewer', picture: 'https://a.example/b.png' }
  const guest = await dataOf('POST', `${own}/participants`, wish)
  await asAcme('GET', `${own}/participants`)
  await asAcme('GET', `${own}/participants/${guest.id}`)
  await asAcme('PATCH', `${own}/participants/${guest.id}`, { name: 'Guest', preset_name: 'group_call_participant' })
  await asAcme('PUT', `${own}/participants/${guest.id}`, { preset_name: 'livestream_viewer' })
  await asAcme('POST', `${own}/participants/${guest.id}/token`)
  await asAcme('DELETE', `${own}/participants/${guest.id}`)
  await asAcme('GET', '/v2/presets')
  simulator.joinMeeting(made.id)
  // Its answer is lost and nothing is shown as live, so that the list of all livestreams is looked through.
  const look = { method: 'GET', path: `/meetings/${made.id}/active-livestream` }
  simulator.failNext({ match: look, status: 404, body: {} }, 3)
  simulator.failNext({
    match: { method: 'POST', path: `/meetings/${made.id}/livestreams` },
    hangUp: true,
    afterWork: true
  })
  await asAcme('POST', `${own}/livestreams`, { name: 'contract-1', video_config: { height: 720, width: 1280 } })
  await until(() => calls.some(call => call.method === 'GET' && /^\/livestreams\?/.test(relative(call))))
  const started = await dataOf('POST', `${own}/livestreams`, { name: 'contract-1' })
  await asAcme('GET', `${own}/active-livestream`)
  const { sessions, session } = await dataOf('GET', `/v2/livestreams/${started.id}?page_no=1&per_page=5`)
  await asAcme('GET', `${own}/livestream`)
  await asAcme('GET', `/v2/livestreams/${started.id}/active-livestream-session`)
  const [run] = [sessions ?? session ?? []].flat()
  await asAcme('GET', `/v2/livestreams/sessions/${run?.id}`)
  const people = await dataOf('GET', `${own}/active-session`)
  // An id that was shown is written down a moment later, at the latest.
  await until(async () => (await sessionsIn(store).findSession('acme', people.id)) !== null)
  await asAcme('GET', `/v2/sessions/${people.id}/livestream-sessions`)
  await asAcme('POST', `${own}/active-session/mute`, { custom_participant_ids: ['guest-1'] })
  await asAcme('POST', `${own}/active-session/mute-all`, { allow_unmute: false })
  await asAcme('POST', `${own}/active-session/kick`, { custom_participant_ids: ['guest-1'] })
  await asAcme('POST', `${own}/active-session/kick-all`)
  await asAcme('POST', `${own}/active-livestream/stop`)
  await dataOf('POST', `${own}/livestreams`)
  await asAcme('POST', `${own}/active-livestream/stop`)
  const independent = await dataOf('POST', '/v2/livestreams', { name: 'studio' })
  const id = independent?.id ?? started.id
  await asAcme('PUT', `/v2/livestreams/${id}/disable`)
  await asAcme('PUT', `/v2/livestreams/${id}/enable`)
  await asAcme('POST', `/v2/livestreams/${id}/reset-stream-key`)
  return calls
}

/** The operator's part, which no route of the API leads to. */
async function registerWebhooks(account: UpstreamAccount): Promise<void> {
  const upstream = openUpstream({ account, deadlineMs: 60_000, clock: systemClock })
  const provider = upstream.on({ tenantId: 'operator', priority: 'mutation' })
  const signal = AbortSignal.timeout(60_000)
  const wish = { name: 'contract', url: 'https://livegate.example/webhooks/default', events: ['meeting.ended'] }
  const { id } = await provider.addWebhook({ ...wish, enabled: true }, signal)
  await provider.listWebhooks(signal)
  await provider.changeWebhook(id, { enabled: false }, signal)
  await provider.removeWebhook(id, signal)
  await upstream.close()
}

/** Behind the base address, whichever dialect it is. */
function relative({ target }: RecordedCall): string {
  return target.replace(/^\/v2/, '').replace(/^\/client\/v4\/accounts\/[^/]+\/realtime\/kit\/[^/]+/, '')
}

function checkRequest(t: Test, operation: Operation, { method, headers, body }: RecordedCall, query: string): void {
  const { name, parameters } = operation
  const known = new Map(parameters.filter(one => one.in === 'query').map(one => [one.name, one]))
  for (const [field, text] of new URLSearchParams(query)) {
    const parameter = known.get(field)
    // The answers alone show which of the contracts a vendor speaks.
    const isOfL2 =
      name === 'GET /livestreams/{stream_id}' || (name === 'GET /livestreams' && known.has('excludeMeetings'))
    t.ok(parameter ?? isOfL2, `${name}: ${field} is a parameter of the contract`)
    const value = /^\d+$/.test(text) ? Number(text) : text
    if (parameter !== undefined) t.strictSame(misfits(parameter.schema, value), [], `${name}: ${field}=${text}`)
  }
  t.match(headers.authorization, /^(Basic|Bearer) /)
  if (method === 'GET') t.equal(body, '', `${name}: a read has no body`)
  else if (body !== '' && operation.body !== null)
    t.strictSame(misfits(operation.body, JSON.parse(body)), [], `${name}: ${body}`)
}

function checkAnswer(t: Test, { name, answers }: Operation, { status, answer }: RecordedCall): void {
  const described = answers.get(status)
  if (described === undefined) {
    // No livestream operation documents an error (contract#undocumented-refusals).
    t.ok(status >= 400, `${name}: ${status} is an answer of the contract`)
    return
  }
  if (described.schema === null) return
  const isKnown = (text: string) =>
    contradictions.some(([operation, misfit]) => operation.test(name) && misfit.test(text))
  const unknown = misfits(described.schema, answer).filter(text => !isKnown(text))
  t.strictSame(unknown, [], `${name}: ${JSON.stringify(answer)?.slice(0, 400)}`)
}
