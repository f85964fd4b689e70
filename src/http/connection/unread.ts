import type { Socket } from 'node:net'

/** Bytes of answers that the system has not taken yet, and since when they have been so many. */
export interface Unread {
  readonly bytes: number
  readonly sinceMs: number
}

/** Measures the unread bytes of a socket, and keeps the earlier time while their number is the same. */
export function unreadOf(socket: Socket, before: Unread, nowMs: number): Unread {
  const bytes = waitingBytes(socket)
  return bytes > 0 && bytes === before.bytes ? before : { bytes, sinceMs: nowMs }
}

/** Node tells of whole writes only, and looks at this itself for its own time-outs. */
function waitingBytes(socket: Socket): number {
  const { _handle: handle } = socket as Socket & { _handle?: { writeQueueSize: number } | null }
  return handle?.writeQueueSize ?? 0
}
