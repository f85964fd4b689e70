import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { contains, type Network, neighbourhood } from '../domain/address.ts'
import type { Clock } from '../domain/clock.ts'
import { peerOf } from './client-address.ts'

export interface ConnectionOptions {
  /** So many at the same time: fewer than there are file descriptors, since the vendor's connections need some too. */
  maxConnections: number
  /** So long a connection may stay unused that has carried a valid key, or comes from a trusted proxy. */
  keepAliveMs: number
  trustedProxies: readonly Network[]
  clock: Pick<Clock, 'monotonic'>
  /** Hears, once a minute at most, that a connection was closed or refused for want of room. */
  onFull(connections: number): void
}

/** Connections that have shown nothing to be kept for. */
const strangerIdleMs = 10_000
/** A client that was told a time may use the connection until its end, and what it sends takes a moment. */
const bufferMs = 1_000
const sweepEveryMs = 1_000
const tellEveryMs = 60_000
/** From this share of all connections on those that nobody uses make room. */
const roomFrom = 0.8
/** One address, unless it is a trusted proxy, has this share of all connections at most. */
const addressShare = 0.25
/** Bounds of what is read of a body whose answer has been given: who only listens after having sent everything hears it then. */
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
  /** Since when no call is under way, and how much had arrived by then. */
  sinceMs: number
  bytesRead: number
  /** The last call, while its body is still on its way behind its answer. */
  rest: IncomingMessage | null
}

/**
 * The connections of callers: how many there are, whose they are, and which of them nobody uses. (Node closes an unused one after the same
 * time for all, and knows no ceiling for one address; its time-outs are the ceiling of all that is done here.)
 */
export class Connections {
  readonly #options: ConnectionOptions
  readonly #open = new Map<Socket, Connection>()
  readonly #peers = new Map<string, Peer>()
  /** Without a call under way, the longest idle first. */
  readonly #idle = { strangers: new Set<Socket>(), known: new Set<Socket>() }
  /** With a body on its way that was answered before it had arrived. */
  readonly #rests = new Set<Socket>()
  #calls = 0
  #toldMs = Number.NEGATIVE_INFINITY
  #isDraining = false
  #whenEmpty = (): void => {}
  /** One for all: a closure for each call, and what `once` wraps it in, would be felt. */
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
    // Node drops beyond it without a word. Those that are just being closed count for it.
    server.maxConnections = Math.ceil(this.#options.maxConnections * 1.05)
    server.on('connection', socket => this.#opened(socket))
    // Before whoever answers at once.
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

  /** The value of `Keep-Alive` in this answer; null where Node's own is right, or there is none to be. */
  hint(answer: ServerResponse): string | null {
    const connection = this.#open.get(answer.req.socket)
    if (connection === undefined || connection.isKnown || !answer.shouldKeepAlive) return null
    return `timeout=${Math.floor(this.#strangerIdleMs / 1_000)}`
  }

  /** From now on each answer is the last of its connection, and connections that nobody uses are closed. */
  drain(): void {
    this.#isDraining = true
    for (const [socket, connection] of this.#open) {
      // For one that has begun it is too late: behind it the connection is closed.
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
      // Its head was on its way already when it became the last.
      if (this.#isDraining) socket.destroySoon()
    }
    if (this.#calls === 0) this.#whenEmpty()
  }

  /** Closes what has been unused for too long, or sends on and on behind its answer. */
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
      // A call that is on its way has Node's time for a request.
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

/** Part of a call has come: the rest may follow. */
function isArriving(socket: Socket, { bytesRead }: Connection): boolean {
  return socket.bytesRead > bytesRead
}
