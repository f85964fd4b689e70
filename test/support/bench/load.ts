/**
 * The load generator, in a process of its own: a fixed number of requests over keep-alive connections; the status and the body
 * of every answer are checked. Takes jobs from the process that started it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { type MeetingKind, meetingId } from './ids.ts'

export interface Job {
  url: string
  what: 'read' | 'pair' | 'mixed'
  /** Requests; of pairs, starts and stops together. */
  count: number
  connections: number
  /** Key i is sent for meeting i, over and over. */
  keys: string[]
  /** The meetings are those with the numbers from `from` on. */
  from?: number
  meetings: number
  /** The status of every read; 200 unless given. */
  status?: number
  /** Faults of the vendor may show: an answer is right when it is one of ours, with a type. */
  faulty?: boolean
  /** Requests a second, sent on time whatever is under way. Without it as fast as the answers come. */
  rate?: number
}

export interface Result {
  tookMs: number
  checked: number
  failed: number
  /** The first wrong answers. */
  wrong: string[]
  statuses: Record<string, number>
  /** With a rate: how long each request took, by its kind. */
  readMs: number[]
  startMs: number[]
  stopMs: number[]
}

interface Call {
  method: 'GET' | 'POST'
  path: string
  meeting: string
  key: string
  status: number
}

const pools = new Map<string, Pool>()

function poolOf({ url, connections }: Job): Pool {
  const name = `${url} ${connections}`
  const pool = pools.get(name) ?? new Pool(url, { connections, pipelining: 1, allowH2: false })
  pools.set(name, pool)
  return pool
}

/** Call number `i` of the worker `w`: its starts and stops take turns, on a meeting of its own each. */
function callOf(job: Job, w: number, i: number, n: number): Call {
  const { what, keys, from = 0, meetings, status = 200 } = job
  const reads = what === 'read' || (what === 'mixed' && i % 10 < 8)
  const kind: MeetingKind = reads ? 'read' : 'own'
  const number = from + (reads ? n % meetings : w)
  const meeting = meetingId(kind, number)
  const key = keys[number % keys.length] ?? ''
  const path = `/v2/meetings/${meeting}`
  if (reads) return { method: 'GET', path: `${path}/active-livestream`, meeting, key, status }
  if (i % 2 === 0) return { method: 'POST', path: `${path}/livestreams`, meeting, key, status: 201 }
  return { method: 'POST', path: `${path}/active-livestream/stop`, meeting, key, status: 200 }
}

async function run(job: Job): Promise<Result> {
  const pool = poolOf(job)
  const result: Result = {
    tookMs: 0,
    checked: 0,
    failed: 0,
    wrong: [],
    statuses: {},
    readMs: [],
    startMs: [],
    stopMs: []
  }
  let next = 0
  const one = async (w: number, i: number): Promise<void> => {
    const call = callOf(job, w, i, next++)
    const { method, path, key } = call
    const sentAtMs = performance.now()
    const { statusCode, body } = await pool.request({ method, path, headers: { authorization: `Bearer ${key}` } })
    const text = await body.text()
    if (job.rate !== undefined) timesOf(result, call).push(performance.now() - sentAtMs)
    result.checked += 1
    result.statuses[statusCode] = (result.statuses[statusCode] ?? 0) + 1
    if (isRight(call, statusCode, text) || (job.faulty && isFailure(statusCode, text))) return
    result.failed += 1
    if (result.wrong.length < 3) result.wrong.push(`${method} ${path}: ${statusCode} ${text.slice(0, 300)}`)
  }
  const startedAtMs = performance.now()
  if (job.rate === undefined) {
    const each = Math.ceil(job.count / job.connections)
    const worker = async (w: number): Promise<void> => {
      for (let i = 0; i < each; i++) await one(w, i)
    }
    await Promise.all(Array.from({ length: job.connections }, (_, w) => worker(w)))
  } else {
    const sent: Promise<void>[] = []
    for (let n = 0; n < job.count; n++) {
      const dueInMs = startedAtMs + (n * 1_000) / job.rate - performance.now()
      if (dueInMs > 0) await sleep(dueInMs)
      // A start and its stop are half the connections apart, so that each is over when the other comes.
      const w = n % job.connections
      sent.push(one(w, Math.floor(n / job.connections)))
    }
    await Promise.all(sent)
  }
  result.tookMs = performance.now() - startedAtMs
  return result
}

function timesOf({ readMs, startMs, stopMs }: Result, { method, status }: Call): number[] {
  if (method === 'GET') return readMs
  return status === 201 ? startMs : stopMs
}

function isRight({ method, meeting, status }: Call, told: number, text: string): boolean {
  if (told !== status) return false
  const { success, data } = JSON.parse(text) as { success?: boolean; data?: { id?: string; meeting_id?: string } }
  if (status >= 400) return success === false
  if (success !== true) return false
  if (method === 'GET') return data?.meeting_id === meeting
  return status === 200 || data?.id !== undefined
}

/** Also what a caller gets while what it asked for is being settled, or was done already. */
function isFailure(told: number, text: string): boolean {
  if (told < 400) return told === 200 && (JSON.parse(text) as { success?: boolean }).success === true
  const { error } = JSON.parse(text) as { error?: { type?: string } }
  return typeof error?.type === 'string' && (told >= 500 || told === 404 || told === 409)
}

process.on('message', (job: Job) => {
  run(job).then(
    result => process.send?.(result),
    (error: unknown) => process.send?.({ error: String(error) })
  )
})
