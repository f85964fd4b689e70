import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Scope } from '../../../src/domain/scope.ts'
import type { Client, Reply } from '../gateway.ts'
import { checkLimitFields } from '../limit-fields.ts'

/** A socket that sends bytes as they are: what an HTTP client would refuse to send, or send differently. */
export interface RawSocket {
  /** Characters are bytes: '\u00ff' is 0xff. */
  write(bytes: string): void
  /** The next answer on this socket. Rejects when it closes first. */
  answer(): Promise<Reply>
  /** True when nothing more can be sent: the other side has closed, or says that it will. */
  ended(): boolean
  destroy(): void
}

/** @param headless the answers have no body, whatever their length says: those to HEAD */
export async function rawSocket(url: string, { headless = false } = {}): Promise<RawSocket> {
  const { hostname, port } = new URL(url)
  const socket: Socket = connect({ host: hostname, port: Number(port) })
  await once(socket, 'connect')
  let received = Buffer.alloc(0)
  let ended = false
  let wake = (): void => {}
  socket.on('data', chunk => {
    received = Buffer.concat([received, chunk])
    wake()
  })
  const end = (): void => {
    ended = true
    wake()
  }
  socket.on('error', end)
  socket.on('end', end)
  socket.on('close', end)

  return {
    write: bytes => socket.write(Buffer.from(bytes, 'latin1')),
    ended: () => ended,
    destroy: () => socket.destroy(),
    async answer() {
      for (;;) {
        const head = received.indexOf('\r\n\r\n')
        if (head >= 0) {
          const { statusCode, headers } = readHead(received.subarray(0, head).toString('latin1'))
          const length = headless ? 0 : Number(headers['content-length'] ?? 0)
          if (received.length >= head + 4 + length) {
            const body = received.subarray(head + 4, head + 4 + length).toString()
            received = received.subarray(head + 4 + length)
            if (headers.connection === 'close') ended = true
            // The path that it was an answer to is not known here.
            checkLimitFields('', { statusCode, headers, body })
            return { statusCode, headers, body, json: () => JSON.parse(body) }
          }
        }
        if (ended) throw new Error(`the socket was closed after ${JSON.stringify(received.toString())}`)
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    }
  }
}

function readHead(head: string) {
  const [line = '', ...fields] = head.split('\r\n')
  const headers: Record<string, string> = {}
  for (const field of fields) {
    const [, name = '', value = ''] = /^([^:]+): *(.*)$/.exec(field) ?? []
    headers[name.toLowerCase()] = value
  }
  return { statusCode: Number(line.split(' ')[1]), headers }
}

/** An operation as the app itself describes it. */
export interface DocumentedRoute {
  method: string
  /** `/v2/meetings/{meeting_id}` */
  path: string
  operationId: string
  /** Null for routes without a key. */
  scope: Scope | null
}

interface Operation {
  operationId: string
  description?: string
}

/** All operations, from the app's own document, so that a new route is in every matrix without a word. */
export function documentedRoutes(app: FastifyInstance): DocumentedRoute[] {
  const paths = Object.entries(app.swagger().paths ?? {})
  return paths.flatMap(([path, operations]) =>
    Object.entries(operations as Record<string, Operation>).map(([method, { operationId, description }]) => {
      const scope = /Needs the scope `([^`]+)`/.exec(description ?? '')?.[1] ?? null
      return { method: method.toUpperCase(), path, operationId, scope: scope as Scope | null }
    })
  )
}

/** Its place among the calls that end something, which a test makes behind all others; -1 for those. */
export function endRank({ method, path }: Pick<DocumentedRoute, 'method' | 'path'>): number {
  if (method === 'DELETE' && path.endsWith('{participant_id}')) return 3
  return ['/kick', '/kick-all', '/stop'].findIndex(end => path.endsWith(end))
}

/** The path with these ids in it. */
export function fill(path: string, ids: Ids): string {
  return path.replace(/\{(\w+)\}/g, (_, name: keyof Ids) => ids[name] ?? name)
}

/** Texts that can stand in a path. */
export interface Ids {
  meeting_id?: string
  livestream_id?: string
  livestream_session_id?: string
  session_id?: string
  run_id?: string
  participant_id?: string
}

/** The ids of a livestream's run, and of its meeting's session and first participant, as the tenant is shown them; both must go on. */
export async function sessionIds(call: Client, { meeting_id, livestream_id }: Ids): Promise<Required<Ids>> {
  const run = await call('GET', `/v2/livestreams/${livestream_id}/active-livestream-session`)
  const session = await call('GET', `/v2/meetings/${meeting_id}/active-session`)
  const participants = await call('GET', `/v2/meetings/${meeting_id}/participants`)
  const broadcasts = await call('GET', `/gateway/runs?live=true&meeting_id=${meeting_id}`)
  return {
    meeting_id: meeting_id ?? '',
    livestream_id: livestream_id ?? '',
    livestream_session_id: run.json().data.session.id,
    session_id: session.json().data.id,
    run_id: broadcasts.json().data[0].id,
    participant_id: participants.json().data[0]?.id ?? 'nobody'
  }
}

/** Checks what every error answer must be, whatever went wrong. */
export function isEnvelope(reply: Reply, status: number, type: string): boolean {
  const { success, error } = reply.json()
  return (
    reply.statusCode === status &&
    String(reply.headers['content-type']).startsWith('application/json') &&
    success === false &&
    error.code === status &&
    error.type === type &&
    error.message.length > 0
  )
}

/** Counts how often each status came. */
export function tally(replies: { statusCode: number }[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { statusCode } of replies) counts[statusCode] = (counts[statusCode] ?? 0) + 1
  return counts
}

/** Sends JSON text as it is, which a client that builds JSON could not. */
export function postText(call: Client, path: string, text: string, type = 'application/json'): Promise<Reply> {
  return call('POST', path, text, { 'content-type': type })
}
