import { type IncomingHttpHeaders, request } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import type { Test } from 'tap'
import { createSimulator, type Simulator, type SimulatorOptions } from '../../../src/simulator/simulator.ts'

export interface Reply {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** The parsed body; its shape is what the tests are about. */
  json: ReturnType<typeof JSON.parse>
  /** Count of the pieces in which the body arrived. */
  pieces: number
}

export interface Clock {
  at: number
  pass(ms: number): void
}

export interface Running {
  simulator: Simulator
  clock: Clock
  /** Calls the vendor's API with the right credentials. `path` is relative to the address of the operations and sent as it stands. */
  call(method: string, path: string, body?: object | string, headers?: Record<string, string>): Promise<Reply>
  /** A meeting with its livestream started: the ids of both. */
  started(): Promise<{ meeting: string; livestream: string }>
  /** A run in this meeting that is over, after so many seconds on air. */
  ran(meeting: string, seconds: number): Promise<void>
}

/** A simulator on a free port, with a clock that stands still until told to move; gone when the test ends. */
export async function simulate(t: Test, options: SimulatorOptions = {}): Promise<Running> {
  const clock = {
    at: Date.parse('2026-01-05T10:00:00.000Z'),
    pass(ms: number): void {
      this.at += ms
    }
  }
  const simulator = await createSimulator({ now: () => clock.at, ...options })
  t.teardown(() => simulator.close())
  const { vendor, org, key, token, origin, apiUrl } = simulator
  const authorization = vendor === 'dyte' ? basic(org, key) : `Bearer ${token}`
  const call: Running['call'] = (method, path, body, headers) =>
    send(simulator, method, apiUrl.slice(origin.length) + path, body, { authorization, ...headers })
  return {
    simulator,
    clock,
    call,
    async started() {
      const { id: meeting } = simulator.addMeeting()
      const { json } = await call('POST', `/meetings/${meeting}/livestreams`)
      return { meeting, livestream: json.data.id }
    },
    async ran(meeting, seconds) {
      await call('POST', `/meetings/${meeting}/livestreams`)
      clock.pass(2_000 + seconds * 1_000)
      await call('POST', `/meetings/${meeting}/active-livestream/stop`)
    }
  }
}

export function basic(org: string, key: string): string {
  return `Basic ${Buffer.from(`${org}:${key}`).toString('base64')}`
}

/** One request whose target is sent byte for byte; rejects when the socket dies before the answer is complete. */
export function send(
  { port }: Simulator,
  method: string,
  target: string,
  body?: object | string,
  headers: Record<string, string> = {}
): Promise<Reply> {
  const text = typeof body === 'object' ? JSON.stringify(body) : body
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path: target, headers, agent: false })
    sent.on('error', reject)
    sent.on('response', response => {
      const chunks: Buffer[] = []
      response.on('data', chunk => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const isJson = /^[[{]/.test(text)
        const { statusCode: status = 0, headers } = response
        resolve({ status, headers, text, json: isJson ? JSON.parse(text) : undefined, pieces: chunks.length })
      })
    })
    sent.end(text)
  })
}

/** Lets pending work run until something has happened; the test's own time-out is the limit. */
export async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await setImmediate()
}

export const nobody = '00000000-0000-4000-8000-000000000000'
