import { randomUUID } from 'node:crypto'
import type { TestContext } from '../../support/gateway.ts'
import { vendor } from '../../support/upstream/vendor.ts'

export interface Roomcast {
  url: string
  /** Calls as `METHOD target`, in order. */
  calls(): string[]
}

interface Show {
  show: string
  room: string
  on_air: boolean
}

/** The made-up vendor's server: it knows one studio and one pass. */
export async function roomcastServer(t: TestContext, studio: string, pass: string): Promise<Roomcast> {
  const shows = new Map<string, Show>()
  const { url, requests } = await vendor(t, ({ method = '', url = '', headers }, response) => {
    const say = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (headers.authorization !== `Pass ${pass}`) return say(400, { problem: 'pass' })
    const [, room = '', rest] = new RegExp(`^/studios/${studio}/rooms(?:/([^/]+)/(.+))?$`).exec(url) ?? []
    const show = shows.get(room)
    if (room === '') return say(200, { rooms: [...shows.values()] })
    if (method === 'PUT' && show !== undefined) return say(409, { problem: 'on air' })
    if (method === 'PUT') {
      const next = { show: randomUUID(), room, on_air: true }
      shows.set(room, next)
      return say(200, next)
    }
    if (show === undefined) return say(404, { problem: 'nothing' })
    if (rest === 'show/end') shows.delete(room)
    return say(200, show)
  })
  return { url: new URL(url).origin, calls: () => requests.map(({ method, url }) => `${method} ${url}`) }
}
