import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Candidate, Candidates } from './making-room.ts'
import type { Unread } from './unread.ts'

/** A connection of a caller, with what happens on it. */
export interface Connection extends Candidate {
  readonly peer: Peer
  readonly answers: Set<ServerResponse>
  /** Bytes that had arrived when the last call ended. */
  bytesRead: number
  /** The last call, until it was answered and has arrived as a whole. */
  last: IncomingMessage | null
  /** Its last answer was given, and only the rest of a body is read. */
  isEnding: boolean
  unread: Unread
}

/** The callers of one address, or of one IPv6 network. */
export interface Peer {
  readonly neighbour: string
  readonly candidates: Candidates<Connection>
}

/** A connection that has just been opened, and on which nothing has been asked yet. */
export function opened(socket: Socket, peer: Peer, isKnown: boolean, sinceMs: number): Connection {
  return {
    ...{ socket, peer, isKnown, isIdle: true, sinceMs, bytesRead: socket.bytesRead, last: null },
    ...{ answers: new Set(), isEnding: false, unread: { bytes: 0, sinceMs } }
  }
}

/** Counts time and bytes anew: no call is under way on the connection. */
export function rest(connection: Connection, nowMs: number): void {
  connection.sinceMs = nowMs
  connection.bytesRead = connection.socket.bytesRead
}

/** True when bytes of the next call have arrived. */
export function isArriving({ socket, bytesRead }: Connection): boolean {
  return socket.bytesRead > bytesRead
}

/** Bounds of the rest of a body that is read behind its answer: some clients listen only after they have sent all. */
const restBytes = 16 * 1024 * 1024
const restMs = 5_000

/** Whether a caller sends on and on behind its answer. */
export function isRestTooLong({ socket, sinceMs, bytesRead }: Connection, nowMs: number): boolean {
  return nowMs - sinceMs > restMs || socket.bytesRead - bytesRead > restBytes
}
