import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { contains, type Network, neighbourhood } from '../../domain/values/address.ts'
import { type Clock, Loop } from '../../domain/values/clock.ts'
import { peerOf } from '../request/client-address.ts'
import { AwaitedCalls, atEndMs } from './awaited-calls.ts'
import { type Connection, isArriving, isRestTooLong, opened, type Peer, rest } from './connection.ts'
import { Candidates } from './making-room.ts'
import { unreadOf } from './unread.ts'

export interface ConnectionOptions {
  /** Connections at the same time: fewer than there are file descriptors, since the vendor's connections need some too. */
  maxConnections: number
  /** Longest time for a known connection to stay unused: one that has carried a valid key, or comes from a trusted proxy. */
  keepAliveMs: number
  trustedProxies: readonly Network[]
  clock: Pick<Clock, 'monotonic'>
  /** Hears, once a minute at most, that a connection was closed or refused to make room, and how many are open. */
  onFull(connections: number): void
}

/** Longest time for a stranger's connection to stay unused: it has shown no valid key. */
const strangerIdleMs = 10_000
/** A client may use the connection until the end of the time that it was told, and its bytes take a moment. */
const bufferMs = 1_000
const sweepEveryMs = 1_000
const tellEveryMs = 60_000
/** Beyond this share of all connections, others make room for new ones. */
const roomFrom = 0.8
/** The largest share of all connections for strangers together. */
const strangersShare = 0.75
/** The largest share of all connections for one address, unless it is a trusted proxy. */
const addressShare = 0.25
/** Longest time for an answer to wait until its caller reads any of it. */
const unreadMs = 10_000

/**
 * The connections of callers: how many there are, whose they are, and which of them are unused. (Node gives all unused ones the same time,
 * and has no limit for one address. Its own time-outs still hold beside what is done here.)
 */
export class Connections {
  readonly #options: ConnectionOptions
  readonly #open = new Map<Socket, Connection>()
  readonly #peers = new Map<string, Peer>()
  readonly #candidates = new Candidates<Connection>()
  /** Connections on which the rest of an answered call's body is on its way. */
  readonly #rests = new Set<Connection>()
  readonly #awaited = new AwaitedCalls()
  #toldMs = Number.NEGATIVE_INFINITY
  #isDraining = false
  /** One listener for all calls: a closure for each, wrapped by `once`, would cost measurably. */
  readonly #onAnswerClose: (this: ServerResponse) => void

  constructor(options: ConnectionOptions) {
    this.#options = options
    const answered = this.#answered.bind(this)
    this.#onAnswerClose = function () {
      answered(this)
    }
  }

  /** How many are open. */
  get size(): number {
    return this.#open.size
  }

  /** Connections at the same time, at most. */
  get most(): number {
    return this.#options.maxConnections
  }

  /** Looks after the connections of a server, until it closes. */
  watch(server: Server): void {
    // Node drops connections beyond this without a word, and counts those that are being closed, hence the margin.
    server.maxConnections = Math.ceil(this.#options.maxConnections * 1.05)
    server.on('connection', socket => this.#opened(socket))
    // It must hear of a call before a listener that answers at once.
    server.prependListener('request', (request, answer) => this.#called(request, answer))
    const sweeping = new Loop({ round: () => this.#sweep(), everyMs: sweepEveryMs }).start()
    server.on('close', () => sweeping.close())
  }

  /** The call of this answer has shown a valid key: its connection is kept for the next. */
  keep(answer: ServerResponse): void {
    const connection = this.#open.get(answer.req.socket)
    if (connection === undefined) return
    if (!connection.isKnown) this.#change(connection, { isKnown: true })
    if (connection.answers.has(answer)) this.#awaited.add(answer)
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
      if (!connection.isIdle) continue
      if (!isArriving(connection)) this.#close(connection)
      else if (this.#rests.has(connection)) socket.destroySoon()
    }
  }

  /**
   * Waits until no call is under way, or until it has taken too long. For calls that have shown no key, and for the rest of a body behind
   * its answer, it waits a second.
   */
  empty(withinMs: number): Promise<void> {
    return this.#awaited.empty(withinMs, () => {
      const [busy] = this.#candidates.busy()
      return busy === undefined && ![...this.#rests].some(({ isEnding }) => isEnding)
    })
  }

  #opened(socket: Socket): void {
    const { maxConnections, trustedProxies } = this.#options
    const address = peerOf(socket)
    const neighbour = neighbourhood(address)
    const isProxy = trustedProxies.some(network => contains(network, address))
    const peer = this.#peers.get(neighbour) ?? { neighbour, candidates: new Candidates<Connection>() }
    const isOneTooMany = (count: number, share: number): boolean => count >= Math.max(1, maxConnections * share)
    if (!isProxy && isOneTooMany(peer.candidates.size, addressShare)) {
      if (!this.#makeRoom(peer.candidates)) return void socket.destroy()
    }
    if (!isProxy && isOneTooMany(this.#candidates.strangers, strangersShare)) this.#makeRoom(this.#candidates)
    if (this.#open.size >= maxConnections * roomFrom) this.#makeRoom(this.#candidates)
    if (this.#open.size >= maxConnections) return void socket.destroy()
    this.#peers.set(neighbour, peer)
    const connection = opened(socket, peer, isProxy, this.#options.clock.monotonic())
    this.#open.set(socket, connection)
    this.#candidates.add(connection)
    peer.candidates.add(connection)
    socket.on('close', () => this.#forget(connection))
    // Node calls it behind the last answer of a connection.
    socket.destroySoon = () => this.#endSoon(connection)
  }

  #called(request: IncomingMessage, answer: ServerResponse): void {
    const connection = this.#open.get(request.socket)
    if (connection === undefined) return
    connection.answers.add(answer)
    connection.last = request
    this.#rests.delete(connection)
    // A call behind another one does not make the connection a younger one.
    if (connection.isIdle) this.#change(connection, { isIdle: false })
    if (this.#isDraining) answer.shouldKeepAlive = false
    answer.on('close', this.#onAnswerClose)
  }

  #answered(answer: ServerResponse): void {
    this.#awaited.delete(answer)
    const connection = this.#open.get(answer.req.socket)
    connection?.answers.delete(answer)
    if (connection?.answers.size === 0) {
      rest(connection, this.#options.clock.monotonic())
      this.#change(connection, { isIdle: true })
      if (connection.last?.complete) connection.last = null
      else this.#rests.add(connection)
      // The head of this answer may have been sent before the drain began.
      if (this.#isDraining) connection.socket.destroySoon()
    }
    this.#awaited.changed()
  }

  /** Ends the connection. Of a body that is still on its way the rest is read before: its sender would get a reset instead of the answer. */
  #endSoon(connection: Connection): void {
    const { socket, last } = connection
    if (connection.isEnding) return
    if (last === null || last.complete || !this.#open.has(socket)) {
      Socket.prototype.destroySoon.call(socket)
      return
    }
    connection.isEnding = true
    rest(connection, this.#options.clock.monotonic())
    this.#rests.add(connection)
    socket.end()
    // Node stops the reading of a body that nobody takes, as of a stop. Its own listener goes on with it, and goes with those of the data.
    socket.emit('resume')
    // Node must not take what comes behind the body for another call.
    socket
      .removeAllListeners('data')
      .on('data', () => {})
      .resume()
  }

  /** Closes connections that were unused for too long, that send on and on behind their answer, or that do not read it. */
  #sweep(): void {
    const now = this.#options.clock.monotonic()
    for (const connection of this.#rests) {
      if (connection.last?.complete && !connection.isEnding) this.#rests.delete(connection)
      else if (isRestTooLong(connection, now)) this.#close(connection)
    }
    for (const connection of this.#candidates.idleStrangers) {
      if (now - connection.sinceMs < this.#strangerIdleMs + bufferMs) break
      // A call whose bytes are arriving has Node's time for a request.
      if (!isArriving(connection)) this.#close(connection)
    }
    for (const connection of this.#candidates.busy()) {
      connection.unread = unreadOf(connection.socket, connection.unread, now)
      const { bytes, sinceMs } = connection.unread
      if (bytes > 0 && now - sinceMs >= (this.#isDraining ? atEndMs : unreadMs)) this.#close(connection)
    }
  }

  /** @returns false when all of them are known and in use */
  #makeRoom(candidates: Candidates<Connection>): boolean {
    const now = this.#options.clock.monotonic()
    if (now - this.#toldMs >= tellEveryMs) {
      this.#toldMs = now
      this.#options.onFull(this.#open.size)
    }
    const next = candidates.next(now)
    if (next !== null) this.#close(next)
    return next !== null
  }

  #close(connection: Connection): void {
    const { socket, isIdle } = connection
    const isResting = this.#rests.has(connection)
    this.#forget(connection)
    // Bytes that nobody reads would keep it open.
    if (isIdle && !isResting) socket.destroySoon()
    else socket.destroy()
  }

  #forget(connection: Connection): void {
    const { socket, peer, answers } = connection
    if (!this.#open.delete(socket)) return
    this.#candidates.remove(connection)
    peer.candidates.remove(connection)
    this.#rests.delete(connection)
    // Node says nothing of answers that waited for others when the connection ends.
    for (const answer of answers) this.#awaited.delete(answer)
    if (peer.candidates.size === 0) this.#peers.delete(peer.neighbour)
    this.#awaited.changed()
  }

  #change(connection: Connection, change: Partial<Pick<Connection, 'isKnown' | 'isIdle'>>): void {
    const lists = [this.#candidates, connection.peer.candidates]
    for (const list of lists) list.remove(connection)
    Object.assign(connection, change)
    for (const list of lists) list.add(connection)
  }

  get #strangerIdleMs(): number {
    return Math.min(strangerIdleMs, this.#options.keepAliveMs)
  }
}
