import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Answer, failure } from './answers.ts'
import { broken, replacesWork } from './broken-answers.ts'
import { control, isControl } from './control.ts'
import { deliver } from './deliver.ts'
import { type Fault, Faults } from './faults.ts'
import { type JournalEntry, note } from './journal.ts'
import { newMeeting, pick, uuid } from './meeting.ts'
import { readOptions, type SimulatorOptions } from './options.ts'
import { readQuota, VendorQuota } from './quota.ts'
import { assertFields, type Rules, string, text } from './rules.ts'
import { type SimulatedLivestream, truth } from './shapes.ts'
import { World } from './state.ts'
import { createVendor, split, vendorPath } from './vendor.ts'

export type { Fault } from './faults.ts'
export type { JournalEntry } from './journal.ts'
export type { SimulatorOptions } from './options.ts'
export type { LivestreamSession, SimulatedLivestream } from './shapes.ts'

/**
 * A running stand-in for Dyte v2: state, faults and a journal. `control.ts` says how to steer it from another process.
 * Not imitated: webhooks, participants' tokens, `manual_ingest` and RealtimeKit's paths.
 */
export interface Simulator {
  /** The base url of the vendor's API, e.g. `http://127.0.0.1:41234/v2`. */
  url: string
  origin: string
  port: number
  org: string
  key: string
  /** Every request outside of `/_simulator/`, in order of arrival, bounded by `journalLimit`. */
  journal: JournalEntry[]
  /** The truth behind the answers. */
  livestreams(): SimulatedLivestream[]
  /** @throws TypeError or RangeError naming the field. */
  addMeeting(fields?: {
    id?: string
    title?: string
    status?: 'ACTIVE' | 'INACTIVE'
    live_stream_on_start?: boolean
  }): {
    id: string
  }
  /** A livestream that belongs to no meeting, as `POST /livestreams` makes one. @throws TypeError or RangeError naming the field */
  addLivestream(fields?: { id?: string; name?: string }): SimulatedLivestream
  /** People come to the meeting: its session begins and, with `live_stream_on_start`, a livestream (contract section 5). */
  joinMeeting(meetingId: string): { session_id: string; livestream: SimulatedLivestream | null }
  /** A participant's browser starts the livestream, past any gateway (contract section 0). Throws when one is running. */
  startFromBrowser(meetingId: string): SimulatedLivestream
  /** An encoder connects to an independent livestream, which is LIVE at once. */
  ingest(livestreamId: string): SimulatedLivestream
  /** The run ends by itself. Throws when there is none. */
  end(livestreamId: string, how?: 'IDLE' | 'ERRORED'): void
  /** Queues faults, each for the next request that it matches. @throws TypeError or RangeError naming the field. */
  failNext(fault: Fault | Fault[], times?: number): void
  /** A fault for every request that it matches, until the returned function is called. */
  fail(fault: Fault): () => void
  clearFaults(): void
  /** Destroys all sockets and gives up what is under way. */
  close(): Promise<void>
}

const maxBodyBytes = 1_048_576
const newLivestreamFields: Rules = { id: text('a UUID', value => uuid.test(value)), name: string }

/** @throws TypeError or RangeError naming a bad option; rejects when the address can't be listened on. */
export async function createSimulator(options?: SimulatorOptions): Promise<Simulator> {
  const settings = readOptions(options)
  const world = new World(settings)
  const vendor = createVendor(world)
  const faults = new Faults()
  const rule = readQuota(settings.quota)
  const quota = rule === undefined ? null : new VendorQuota(rule)
  const journal: JournalEntry[] = []
  const closing = new AbortController()

  async function serveVendor(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const entry = note(journal, settings.journalLimit, request, world.now())
    const { method, target } = entry
    const refusal = quota?.refusal(entry.at)
    const fault = faults.take(method, vendorPath(split(target).path))
    if (fault) entry.fault = fault
    const onStatus = (status: number): void => {
      entry.status = status
    }
    const line = { response, closing: closing.signal, onStatus }
    const wait = async (ms: number): Promise<void> => pause(ms, undefined, { signal: closing.signal })

    const body = await readBody(request)
    if (body === null) return deliver(failure(413, 'The body is too large'), {}, line)
    entry.body = body
    if (refusal !== undefined) return deliver(refusal, {}, line)
    if (fault?.delayMs && !fault.afterWork) await wait(fault.delayMs)
    let real: Answer | undefined
    if (!fault || !replacesWork(fault)) {
      // Also when the caller has left meanwhile: a vendor finishes what it was asked for.
      real = vendor({ method, target, authorization: request.headers.authorization, body })
      entry.executed = real.status < 300
    }
    if (fault?.delayMs && fault.afterWork) await wait(fault.delayMs)
    await deliver(broken(real, fault ?? {}), fault ?? {}, line)
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
    // What fails here is a caller that left or the end of the simulator: there is nobody to tell.
    serve(request, response).catch(() => response.destroy())
  })
  server.listen(settings.port, settings.host)
  await once(server, 'listening')
  const { address, port, family } = server.address() as AddressInfo
  const origin = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`

  const simulator: Simulator = {
    url: `${origin}/v2`,
    origin,
    port,
    org: settings.org,
    key: settings.key,
    journal,
    livestreams: () => [...world.livestreams.values()].map(one => truth(world, one)),
    addMeeting(fields = {}) {
      assertFields('meeting', newMeeting, fields)
      const { id, ...rest } = fields
      return { id: world.addMeeting(pick(newMeeting, rest), id).id }
    },
    addLivestream(fields = {}) {
      assertFields('livestream', newLivestreamFields, fields)
      return truth(world, world.addLivestream(null, fields.name ?? null, fields.id))
    },
    joinMeeting(meetingId) {
      const meeting = world.meeting(meetingId)
      if (meeting.fields.status === 'INACTIVE') throw new Error(`meeting ${meetingId} is inactive`)
      const session = world.openSession(meeting)
      session.joined = true
      const begins = meeting.fields.live_stream_on_start && !world.running(meeting)
      return { session_id: session.id, livestream: begins ? truth(world, world.begin(meeting)) : null }
    },
    startFromBrowser(meetingId) {
      const meeting = world.meeting(meetingId)
      const running = world.running(meeting)
      if (running && settings.startWhileLive !== 'second') throw new Error(`meeting ${meetingId} is live already`)
      return truth(world, world.begin(meeting))
    },
    ingest(livestreamId) {
      const livestream = world.livestream(livestreamId)
      world.ingest(livestream)
      return truth(world, livestream)
    },
    end: (livestreamId, how = 'IDLE') => world.end(world.livestream(livestreamId), how),
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

/** The body as text; null when it is too large, which is read to its end all the same, so that the answer can arrive. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= maxBodyBytes) chunks.push(chunk)
  }
  return size <= maxBodyBytes ? Buffer.concat(chunks).toString() : null
}
