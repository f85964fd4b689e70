import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { contains, type Network, neighbourhood } from '../domain/address.ts'
import type { Clock } from '../domain/clock.ts'
import { peerOf } from './client-address.ts'

export interface ConnectionOptions {
  /** Connections at the same time: fewer than there are file descriptors, since the vendor's connections need some too. */
  maxConnections: number
  /** How long a known connection may stay unused: one that has carried a valid key, or comes from a trusted proxy. */
  keepAliveMs: number
  trustedProxies: readonly Network[]
  clock: Pick<Clock, 'monotonic'>
  /** Hears, once a minute at most, that a connection was closed or refused to make room, and how many are open. */
  onFull(connections: number): void
}

/** How long a stranger's connection may stay unused: it has shown no valid key. */
const strangerIdleMs = 10_000
/** A client may use the connection until the end of the time that it was told, and its bytes take a moment. */
const bufferMs = 1_000
const sweepEveryMs = 1_000
const tellEveryMs = 60_000
/** Beyond this share of all connections, unused ones make room for new ones. */
const roomFrom = 0.8
/** The largest share of all connections for one address, unless it is a trusted proxy. */
const addressShare = 0.25
/** Bounds of the rest of a body that is read behind its answer: some clients listen only after they have sent all. */
const restBytes = 16 * 1024 * 1024
const restMs = 5_000

interface Peer {
  connections: number
  readonly idle: Set<Socket>
}

interface Connection {
  readonly neighbour: string
  readonly answers: Set<ServerResponse>
  isKnown: boolean
  /** When the last call ended, and how many bytes had arrived by then. */
  sinceMs: number
  bytesRead: number
  /** The last call, while its body is still on its way behind its answer. */
  rest: IncomingMessage | null
}

/**
 * The connections of callers: how many there are, whose they are, and which of them are unused. (Node gives all unused ones the same time,
 * and has no limit for one address. Its own time-outs still hold beside what is done here.)
 */
export class Connections {
  readonly #options: ConnectionOptions
  readonly #open = new Map<Socket, Connection>()
  readonly #peers = new Map<string, Peer>()
  /** Connections without a call under way, the longest idle first. */
  readonly #idle = { strangers: new Set<Socket>(), known: new Set<Socket>() }
  /** Connections on which the rest of an answered call's body is on its way. */
  readonly #rests = new Set<Socket>()
  #calls = 0
  #toldMs = Number.NEGATIVE_INFINITY
  #isDraining = false
  #whenEmpty = (): void => {}
  /** One listener for all calls: a closure for each, wrapped by `once`, would cost measurably. */
  readonly #onAnswerClose: (this: ServerResponse) => void

  constructor(options: ConnectionOptions) {
    this.#options = options
    const answered = this.#answered.bind(this)
    this.#onAnswerClose = function () {
      answered(this)
    }
  }

  /** Looks after the connections of a server, until it closes. */
  watch(server: Server): void {
    // Node drops connections beyond this without a word, and counts those that are being closed, hence the margin.
    server.maxConnections = Math.ceil(this.#options.maxConnections * 1.05)
    server.on('connection', socket => this.#opened(socket))
    // It must hear of a call before a listener that answers at once.
    server.prependListener('request', (request, answer) => this.#called(request, answer))
    const timer = setInterval(() => this.#sweep(), sweepEveryMs)
    timer.unref()
    server.on('close', () => clearInterval(timer))
  }

  /** The call of this answer has shown a valid key: its connection is kept for the next. */
  keep(answer: ServerResponse): void {
    const connection = this.#open.get(answer.req.socket)
    if (connection !== undefined) connection.isKnown = true
  }

  /** The value of `Keep-Alive` for this answer; null where Node's own is right, or the connection ends. */
  hint(answer: ServerResponse): string | null {
    const connection = this.#open.get(answer.req.socket)
    if (connection === undefined || connection.isKnown || !answer.shouldKeepAlive) return null
    return `timeout=${Math.floor(this.#strangerIdleMs / 1_000)}`
  }

  /** Makes each answer from now on the last of its connection, and closes unused connections. */
  drain(): void {
    this.#isDraining = true
    for (const [socket, connection] of this.#open) {
      // An answer whose head was sent can't say so any more: the connection is closed behind it.
      for (const answer of connection.answers) answer.shouldKeepAlive = false
      if (connection.answers.size === 0 && !isArriving(socket, connection)) socket.destroySoon()
    }
  }

  /** Waits until no call is under way, or until it has taken too long. */
  empty(withinMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, withinMs)
      this.#whenEmpty = () => {
        clearTimeout(timer)
        resolve()
      }
      if (this.#calls === 0) this.#whenEmpty()
    })
  }

  #opened(socket: Socket): void {
    const { maxConnections, trustedProxies } = this.#options
    const address = peerOf(socket)
    const neighbour = neighbourhood(address)
    const isProxy = trustedProxies.some(network => contains(network, address))
    const peer = this.#peers.get(neighbour) ?? { connections: 0, idle: new Set() }
    if (!isProxy && peer.connections >= Math.max(1, maxConnections * addressShare)) {
      const [longestIdle] = peer.idle
      this.#tellFull()
      if (longestIdle === undefined) return void socket.destroy()
      this.#close(longestIdle)
    }
    if (this.#open.size >= maxConnections * roomFrom) {
      const [longestIdle] = this.#idle.strangers.size > 0 ? this.#idle.strangers : this.#idle.known
      this.#tellFull()
      if (longestIdle !== undefined) this.#close(longestIdle)
    }
    if (this.#open.size >= maxConnections) return void socket.destroy()
    peer.connections += 1
    this.#peers.set(neighbour, peer)
    const connection = { neighbour, answers: new Set<ServerResponse>(), isKnown: isProxy, sinceMs: 0, bytesRead: 0 }
    this.#open.set(socket, { ...connection, rest: null })
    socket.on('close', () => this.#forget(socket))
    this.#idles(socket)
  }

  #called(request: IncomingMessage, answer: ServerResponse): void {
    const { socket } = request
    const connection = this.#open.get(socket)
    if (connection === undefined) return
    this.#calls += 1
    connection.answers.add(answer)
    connection.rest = null
    this.#rests.delete(socket)
    this.#removeFromIdle(socket, connection)
    if (this.#isDraining) answer.shouldKeepAlive = false
    answer.on('close', this.#onAnswerClose)
  }

  #answered(answer: ServerResponse): void {
    this.#calls -= 1
    const { req: request } = answer
    const { socket } = request
    const connection = this.#open.get(socket)
    connection?.answers.delete(answer)
    if (connection?.answers.size === 0) {
      this.#idles(socket)
      if (!request.complete) {
        connection.rest = request
        this.#rests.add(socket)
      }
      // The head of this answer may have been sent before the drain began.
      if (this.#isDraining) socket.destroySoon()
    }
    if (this.#calls === 0) this.#whenEmpty()
  }

  /** Closes connections that were unused for too long, or that send on and on behind their answer. */
  #sweep(): void {
    const now = this.#options.clock.monotonic()
    for (const socket of this.#rests) {
      const { rest, sinceMs, bytesRead } = this.#open.get(socket) as Connection
      if (rest?.complete) this.#rests.delete(socket)
      else if (now - sinceMs > restMs || socket.bytesRead - bytesRead > restBytes) this.#close(socket)
    }
    for (const socket of this.#idle.strangers) {
      const connection = this.#open.get(socket) as Connection
      if (now - connection.sinceMs < this.#strangerIdleMs + bufferMs) break
      // A call whose bytes are arriving has Node's time for a request.
      if (!isArriving(socket, connection)) this.#close(socket)
    }
  }

  #tellFull(): void {
    const now = this.#options.clock.monotonic()
    if (now - this.#toldMs < tellEveryMs) return
    this.#toldMs = now
    this.#options.onFull(this.#open.size)
  }

  #close(socket: Socket): void {
    this.#forget(socket)
    socket.destroySoon()
  }

  #forget(socket: Socket): void {
    const connection = this.#open.get(socket)
    if (connection === undefined) return
    this.#removeFromIdle(socket, connection)
    this.#rests.delete(socket)
    this.#open.delete(socket)
    const peer = this.#peers.get(connection.neighbour)
    if (peer !== undefined && --peer.connections === 0) this.#peers.delete(connection.neighbour)
  }

  #idles(socket: Socket): void {
    const connection = this.#open.get(socket) as Connection
    connection.sinceMs = this.#options.clock.monotonic()
    connection.bytesRead = socket.bytesRead
    this.#idle[connection.isKnown ? 'known' : 'strangers'].add(socket)
    this.#peers.get(connection.neighbour)?.idle.add(socket)
  }

  #removeFromIdle(socket: Socket, { neighbour, isKnown }: Connection): void {
    this.#idle[isKnown ? 'known' : 'strangers'].delete(socket)
    this.#peers.get(neighbour)?.idle.delete(socket)
  }

  get #strangerIdleMs(): number {
    return Math.min(strangerIdleMs, this.#options.keepAliveMs)
  }
}

/** True when bytes of the next call have arrived. */
function isArriving(socket: Socket, { bytesRead }: Connection): boolean {
  return socket.bytesRead > bytesRead
}
