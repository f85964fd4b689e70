import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { failure, type SimulatedAnswer } from './answers.ts'
import { readBody } from './body.ts'
import { control, isControl } from './control.ts'
import { pathIn } from './dialects/dialect.ts'
import { vendors } from './dialects/vendors.ts'
import { broken, replacesWork } from './faults/broken-answers.ts'
import { deliver } from './faults/deliver.ts'
import { type Fault, Faults } from './faults/faults.ts'
import { type JournalEntry, note } from './journal.ts'
import { readOptions, type SimulatorOptions } from './options.ts'
import { truth } from './routes/shapes.ts'
import { webhookKeyPath } from './routes/webhook-routes.ts'
import { assertFields, type Rules, string, text, uuid } from './rules.ts'
import type { Simulator } from './running-simulator.ts'
import { newMeeting, pick } from './state/meeting.ts'
import { invitedFields } from './state/participants.ts'
import { readQuota, retryAfterSeconds, VendorQuota } from './state/quota.ts'
import { endSession } from './state/stage.ts'
import { VendorState } from './state/state.ts'
import { createVendor, split } from './vendor.ts'
import { SimulatedWebhooks } from './webhooks/webhooks.ts'

export { usualVendor } from './dialects/vendors.ts'
export type { Fault } from './faults/faults.ts'
export type { JournalEntry } from './journal.ts'
export type { SimulatorOptions } from './options.ts'
export type { LivestreamSession, SimulatedLivestream } from './routes/shapes.ts'
export type { Simulator } from './running-simulator.ts'

const newLivestreamFields: Rules = { id: text('a UUID', value => uuid.test(value)), name: string }

/** @throws TypeError or RangeError naming a bad option; rejects when the address can't be listened on. */
export async function createSimulator(options?: SimulatorOptions): Promise<Simulator> {
  const settings = readOptions(options)
  const state = new VendorState(settings)
  const dialect = vendors[settings.vendor].dialect(state)
  const closing = new AbortController()
  const webhooks = new SimulatedWebhooks(state, closing.signal)
  const vendor = createVendor(state, dialect, webhooks)
  const faults = new Faults()
  const rule = readQuota(settings.quota)
  const quota = rule === undefined ? null : new VendorQuota(rule)
  const journal: JournalEntry[] = []

  async function serveVendor(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const entry = note(journal, settings.journalLimit, request, state.now())
    const { method, target } = entry
    const allowance = quota?.take(entry.at)
    const { path } = split(target)
    const fault = faults.take(method, path === webhookKeyPath ? path : pathIn(dialect, path))
    if (fault) entry.fault = fault
    const onStatus = (status: number): void => {
      entry.status = status
    }
    const line = { response, closing: closing.signal, onStatus }
    const limits = allowance && dialect.limitFields(allowance)
    const answer = ({ headers, ...rest }: SimulatedAnswer, how: Fault = {}): Promise<void> =>
      deliver({ ...rest, headers: { date: new Date(state.now()).toUTCString(), ...limits, ...headers } }, how, line)
    const wait = async (ms: number): Promise<void> => pause(ms, undefined, { signal: closing.signal })

    const body = await readBody(request)
    if (body === null) return answer(failure(413, 'The body is too large'))
    entry.body = body
    if (allowance?.refused) return answer(dialect.tooMany(retryAfterSeconds(allowance)))
    if (fault?.delayMs && !fault.afterWork) await wait(fault.delayMs)
    let real: SimulatedAnswer | undefined
    if (!fault || !replacesWork(fault, dialect)) {
      // The work is done even if the caller has left meanwhile: a vendor finishes what it was asked for.
      real = vendor({ method, target, authorization: request.headers.authorization, body })
      entry.executed = real.status < 300
    }
    if (fault?.delayMs && fault.afterWork) await wait(fault.delayMs)
    await answer(broken(real, fault ?? {}, dialect), fault)
  }

  async function serveControl(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request
    const body = await readBody(request)
    const answer = body === null ? failure(413, 'The body is too large') : control(simulator, method, url, body)
    await deliver(answer, {}, { response, closing: closing.signal, onStatus: () => {} })
  }

  // Idle connections stay open longer than any client keeps them, so that no call ever meets a closing one by chance.
  const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    const serve = isControl(request.url) ? serveControl : serveVendor
    // A failure here is a caller that left or the end of the simulator: there is nobody to tell.
    serve(request, response).catch(() => response.destroy())
  })
  server.listen(settings.port, settings.host)
  await once(server, 'listening')
  const { address, port, family } = server.address() as AddressInfo
  const origin = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`

  const { account: ids, credential } = vendors[settings.vendor]
  const credentials = Object.fromEntries([...ids, credential].map(name => [name, settings[name]]))
  const simulator: Simulator = {
    vendor: settings.vendor,
    url: origin + dialect.basePath,
    apiUrl: origin + dialect.apiPath,
    origin,
    port,
    credentials,
    org: settings.org,
    key: credentials.key ?? '',
    account: credentials.account ?? '',
    app: credentials.app ?? '',
    token: credentials.token ?? '',
    journal,
    livestreams: () => [...state.livestreams.values()].map(one => truth(state, one)),
    addMeeting(fields = {}) {
      assertFields('meeting', newMeeting, fields)
      const { id, ...rest } = fields
      return { id: state.addMeeting(pick(newMeeting, rest), id).id }
    },
    addLivestream(fields = {}) {
      assertFields('livestream', newLivestreamFields, fields)
      return truth(state, state.addLivestream(null, fields.name ?? null, fields.id))
    },
    addParticipant(meetingId, fields = {}) {
      assertFields('participant', invitedFields, fields)
      const { id, custom_participant_id: customId = 'guest', name = 'Guest', preset_name: presetName } = fields
      const facts = { meetingId, customId, name, picture: null, presetName: presetName ?? 'livestream_viewer' }
      return { id: state.participants.add(facts, state.now(), id).id }
    },
    participants: meetingId => state.participants.of(meetingId),
    participantTokens: state.participants.tokens,
    addPreset: fields => void state.participants.addPreset(fields, state.now()),
    joinMeeting(meetingId) {
      const meeting = state.meeting(meetingId)
      if (meeting.fields.status === 'INACTIVE') throw new Error(`meeting ${meetingId} is inactive`)
      const session = state.openSession(meeting)
      session.joined = true
      const begins = meeting.fields.live_stream_on_start && !state.running(meeting)
      return { session_id: session.id, livestream: begins ? truth(state, state.begin(meeting)) : null }
    },
    startFromBrowser(meetingId, { manualIngest = false } = {}) {
      const meeting = state.meeting(meetingId)
      const running = state.running(meeting)
      if (running && settings.startWhileLive !== 'second') throw new Error(`meeting ${meetingId} is live already`)
      if (state.isStillStopping(meeting)) throw new Error(`meeting ${meetingId} is still stopping`)
      return truth(state, state.begin(meeting, undefined, manualIngest))
    },
    endMeeting(meetingId) {
      endSession(state.meeting(meetingId), state.now())
    },
    ingest(livestreamId) {
      const livestream = state.livestream(livestreamId)
      state.ingest(livestream)
      return truth(state, livestream)
    },
    end: (livestreamId, how = 'IDLE') => state.end(state.livestream(livestreamId), how),
    accept: (...credentials) => state.accept(credentials),
    webhooks,
    failNext: (fault, times = 1) => faults.queue(Array.isArray(fault) ? fault : [fault], times),
    fail: fault => faults.stand(fault),
    clearFaults: () => faults.clear(),
    async close() {
      closing.abort()
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
    }
  }
  return simulator
}
