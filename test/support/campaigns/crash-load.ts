import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Client, client } from '../gateway.ts'

export type Kind = 'start' | 'stop' | 'create' | 'update' | 'read' | 'refusal'

/** One call, and what its caller was told. */
export interface Call {
  /** Its `x-request-id`. */
  id: string
  kind: Kind
  /** Null: nothing was heard before the line went dead. */
  status: number | null
  /** On the monotonic clock of this process. */
  answeredAtMs: number
}

export interface LoadTenant {
  key: string
  meetings: string[]
  /** Somebody else's. */
  foreign: string
}

export interface Load {
  /** All calls so far. */
  readonly calls: Call[]
  /** When so many more calls have had their answer. */
  answered(calls: number): Promise<void>
  /** From now on a call that gets no answer is no surprise. */
  expectTheEnd(): void
  /** When every client has noticed. Rejects when a call got no answer before that. */
  ended: Promise<void>
}

/** So many clients of a tenant at once: enough for calls that join each other, and for few refusals at a time. */
const clientsEach = 3
/** Beyond ten equal refusals a second they would be counted together, and could not be told apart any more. */
const refusalEveryMs = 150
const maxUnsettled = 3

/** Clients of several tenants who start, stop, make, change and read, each call over a socket of its own, until the gateway is gone. */
export function load(url: string, tenants: LoadTenant[], random: () => number): Load {
  const calls: Call[] = []
  let ending = false
  let gone = false
  let answers = 0
  const waiting: { calls: number; resolve: () => void }[] = []

  /** Gives the status, or null when there was no answer. */
  async function call(kind: Kind, ask: Client, method: string, path: string, body?: object): Promise<number | null> {
    const one: Call = { id: randomUUID(), kind, status: null, answeredAtMs: Number.POSITIVE_INFINITY }
    calls.push(one)
    // Calls upstream carry the id too, so that the vendor's journal and the log can be joined by it.
    const named = body === undefined ? undefined : JSON.parse(JSON.stringify(body).replaceAll('$id', one.id))
    try {
      one.status = (await ask(method, path, named, { 'x-request-id': one.id })).statusCode
      one.answeredAtMs = performance.now()
      answers += 1
      for (const { calls, resolve } of waiting) if (answers >= calls) resolve()
    } catch (error) {
      gone = true
      if (!ending) throw error
    }
    return one.status
  }

  async function work({ key, meetings }: LoadTenant, unsettled: { seen: number }): Promise<void> {
    const ask = client(url, `Bearer ${key}`)
    while (!gone) {
      const meeting = `/v2/meetings/${meetings[Math.floor(random() * meetings.length)]}`
      const what = random()
      if (what < 0.25 && unsettled.seen < maxUnsettled) {
        const status = await call('start', ask, 'POST', `${meeting}/livestreams`, { name: '$id' })
        if (status === 409) unsettled.seen += 1
      } else if (what < 0.5) await call('stop', ask, 'POST', `${meeting}/active-livestream/stop`)
      else if (what < 0.6) await call('create', ask, 'POST', '/v2/meetings', { title: '$id' })
      else if (what < 0.7) await call('update', ask, 'PATCH', meeting, { title: '$id' })
      else if (what < 0.8) await call('read', ask, 'GET', `${meeting}/active-livestream`)
      else if (what < 0.9) await call('read', ask, 'GET', meeting)
      else await call('read', ask, 'GET', '/v2/livestreams')
    }
  }

  /** Those who have no right, one after the other. */
  async function intrude({ key, foreign }: LoadTenant): Promise<void> {
    const [known, unknown] = [client(url, `Bearer ${key}`), client(url, `Bearer ${key.slice(0, -1)}-`)]
    while (!gone) {
      await call('refusal', known, 'GET', `/v2/meetings/${foreign}`)
      await call('refusal', known, 'POST', `/v2/meetings/${foreign}/livestreams`, {})
      await call('refusal', unknown, 'GET', '/v2/livestreams')
      await pause(refusalEveryMs)
    }
  }

  const [first] = tenants
  const all = tenants.flatMap(tenant => {
    const unsettled = { seen: 0 }
    return Array.from({ length: clientsEach }, () => work(tenant, unsettled))
  })
  if (first !== undefined) all.push(intrude(first))
  return {
    calls,
    answered: calls => new Promise(resolve => waiting.push({ calls: answers + calls, resolve })),
    expectTheEnd() {
      ending = true
    },
    ended: Promise.all(all).then(() => {})
  }
}
