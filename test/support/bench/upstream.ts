/**
 * The vendor as cheap as Node can be it: answers from memory, keeps which meetings are live, and counts. `POST /bench` sets it:
 * `{"delayMs": 20, "faultEvery": 50}`; `GET /bench` gives the counts since then.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { livestreamIdOf } from './ids.ts'

export interface VendorSettings {
  delayMs: number
  /** Every so many calls one fails: with a 500, and with a lost connection, in turn. 0: none. */
  faultEvery: number
}
export interface VendorCounts {
  reads: number
  starts: number
  stops: number
  others: number
  faults: number
}

const none = (): VendorCounts => ({ reads: 0, starts: 0, stops: 0, others: 0, faults: 0 })
let settings: VendorSettings = { delayMs: 0, faultEvery: 0 }
let counts = none()
let calls = 0
/** Meetings with their livestream: it is used again, as real vendors' may be, with a new run for each start. */
const runs = new Map<string, { id: string; beganAt: string; isLive: boolean }>()

const since = '2026-11-22T10:00:00.000Z'
const nothingLive = { status: 404, body: { success: false, error: { code: 404, message: 'No active livestream' } } }
const playbackUrl = 'https://playback.example/bench/manifest/video.m3u8'

function active(meeting: string) {
  const run = runs.get(meeting)
  const id = meeting.startsWith('1') ? livestreamIdOf(meeting) : run?.isLive ? run.id : undefined
  if (id === undefined) return nothingLive
  const times = { created_at: since, updated_at: since }
  const data = { id, name: 'bench', status: 'LIVE', meeting_id: meeting, playback_url: playbackUrl, ...times }
  return { status: 200, body: { success: true, data: { ...data, disabled: false } } }
}

function start(meeting: string) {
  const id = runs.get(meeting)?.id ?? randomUUID()
  runs.set(meeting, { id, beganAt: new Date().toISOString(), isLive: true })
  const secrets = { ingest_server: 'rtmps://ingest.example:443/app/', stream_key: `key-${id}` }
  return { status: 201, body: { success: true, data: { id, status: 'LIVE', playback_url: playbackUrl, ...secrets } } }
}

function stop(meeting: string) {
  const run = runs.get(meeting)
  if (!run?.isLive) return nothingLive
  run.isLive = false
  return { status: 200, body: { success: true, data: { message: 'Livestream stopped' } } }
}

function shown(meeting: string, { id, beganAt, isLive }: { id: string; beganAt: string; isLive: boolean }) {
  const livestream = { id, status: isLive ? 'LIVE' : 'IDLE', meeting_id: meeting, playback_url: playbackUrl }
  const session = { id: `${id}-run`, livestream_id: id, invoked_time: beganAt, started_time: beganAt }
  return { livestream, sessions: [session] }
}

/** The livestreams in which a lost start is looked for. */
function livestreams(id: string): { status: number; body: object } {
  const all = [...runs].map(([meeting, run]) => shown(meeting, run))
  if (id === '') return { status: 200, body: { success: true, data: all.map(({ livestream }) => livestream) } }
  const one = all.find(({ livestream }) => livestream.id === id)
  return one === undefined ? nothingLive : { status: 200, body: { success: true, data: one } }
}

function answer(method: string, url: string): { status: number; body: object } {
  const [, meeting = '', rest = ''] = /\/meetings\/([^/?]+)\/?([^?]*)/.exec(url) ?? []
  if (method === 'GET' && rest === 'active-livestream') {
    counts.reads += 1
    return active(meeting)
  }
  if (method === 'POST' && rest === 'livestreams') {
    counts.starts += 1
    return start(meeting)
  }
  if (method === 'POST' && rest === 'active-livestream/stop') {
    counts.stops += 1
    return stop(meeting)
  }
  counts.others += 1
  const found = /^\/v2\/livestreams(?:\/([^/?]+))?(?:\?|$)/.exec(url)
  if (method === 'GET' && found !== null) return livestreams(found[1] ?? '')
  if (method === 'GET' && rest === '') return { status: 200, body: { success: true, data: { id: meeting } } }
  return { status: 404, body: { success: false, error: { code: 404, message: `no ${method} ${url}` } } }
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    .end(text)
}

const server = createServer((request, response) => {
  const { method = '', url = '' } = request
  if (url === '/bench') {
    let text = ''
    request.setEncoding('utf8').on('data', chunk => {
      text += chunk
    })
    request.on('end', () => {
      send(response, 200, counts)
      if (method !== 'POST') return
      settings = { delayMs: 0, faultEvery: 0, ...(JSON.parse(text) as Partial<VendorSettings>) }
      counts = none()
    })
    return
  }
  request.resume()
  request.on('end', () => {
    calls += 1
    if (settings.faultEvery > 0 && calls % settings.faultEvery === 0) {
      counts.faults += 1
      if (calls % (2 * settings.faultEvery) === 0) request.socket.destroy()
      else send(response, 500, { success: false, error: { code: 500, message: 'a fault' } })
      return
    }
    const { status, body } = answer(method, url)
    if (settings.delayMs === 0) send(response, status, body)
    else setTimeout(send, settings.delayMs, response, status, body)
  })
})
server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => {
  console.log(`listens http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
