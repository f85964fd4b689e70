import { constants, fstatSync, openSync, write, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A line that was given to the log, with its state. */
export interface LogLine {
  readonly state: 'waiting' | 'written' | 'lost'
}

/** The destination of log lines. Nothing here throws, and nothing waits: the log watches the gateway and decides nothing. */
export interface LogOutput {
  write(line: string): void
  /** The line that was given last; null before the first. */
  readonly last: LogLine | null
  /** Lines that were lost since the process began. */
  readonly lost: number
  /** Lines that wait, and lines that were lost since the log last told of lost ones. */
  readonly unwritten: number
  /** True while lines can't be written: the disk is full, the reader has gone or does not read. */
  troubled(): boolean
  /** Waits until all lines are written, for so long at most; not at all for a disk that refuses them. */
  flush(withinMs: number): Promise<void>
}

/** Takes bytes without waiting, and tells how many it took, at once or later. */
export type Sink = (bytes: Buffer, done: (error: NodeJS.ErrnoException | null, count: number) => void) => void

interface Line {
  state: LogLine['state']
  readonly bytes: Buffer
}

export interface BoundedLogOptions {
  sink: Sink
  /** Most bytes that wait in memory. */
  maxWaitingBytes?: number
  /** Pause after an error. */
  retryAfterMs?: number
  now?(): number
}

/** Pauses while a reader does not read: the first, and the longest. */
const pollMs = { first: 10, longest: 250 }
/** A line that waits longer than this is trouble. */
const slowAfterMs = 1_000
const batchBytes = 64 * 1024

/**
 * A log destination that never holds up its writer. Lines that can't be written wait, up to a bound; beyond it new ones are lost and
 * counted, and the count is a line of its own once there is room. It tries again for as long as the process lives: a disk is cleaned
 * up, a reader comes back. (pino's own destination throws at the first error, and then tries in a loop that blocks the thread.)
 * It uses no `Loop`: `flush` must write within its own turn, and a sink may answer within it.
 */
export class BoundedLog implements LogOutput {
  readonly #options: Required<BoundedLogOptions>
  #waiting: Line[] = []
  #waitingBytes = 0
  /** Bytes of the first waiting line that are written. */
  #offset = 0
  #writing = false
  #pumping = false
  #timer: NodeJS.Timeout | null = null
  #pauseMs = pollMs.first
  #refused = false
  #stuckSinceMs: number | null = null
  #last: Line | null = null
  #lost = 0
  #untold = 0

  constructor(options: BoundedLogOptions) {
    this.#options = { maxWaitingBytes: 4 * 1024 * 1024, retryAfterMs: 1_000, now: () => performance.now(), ...options }
  }

  get last(): LogLine | null {
    return this.#last
  }

  get lost(): number {
    return this.#lost
  }

  get unwritten(): number {
    return this.#untold + this.#waiting.length
  }

  write(text: string): void {
    const line: Line = { state: 'waiting', bytes: Buffer.from(text) }
    this.#last = line
    if (this.#waitingBytes + line.bytes.length > this.#options.maxWaitingBytes) {
      line.state = 'lost'
      this.#lost++
      this.#untold++
      return
    }
    this.#add(line)
    this.#pump()
  }

  troubled(): boolean {
    if (this.#stuckSinceMs === null) return false
    return this.#refused || this.#untold > 0 || this.#options.now() - this.#stuckSinceMs > slowAfterMs
  }

  async flush(withinMs: number): Promise<void> {
    const deadlineMs = this.#options.now() + withinMs
    for (;;) {
      this.#retry()
      if (this.#waiting.length === 0 || this.#refused || this.#options.now() >= deadlineMs) return
      await sleep(pollMs.first)
    }
  }

  #add(line: Line): void {
    this.#waiting.push(line)
    this.#waitingBytes += line.bytes.length
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    while (this.#waiting.length > 0 && !this.#writing && this.#timer === null) this.#writeSome()
    this.#pumping = false
  }

  #writeSome(): void {
    this.#writing = true
    this.#stuckSinceMs ??= this.#options.now()
    this.#options.sink(this.#batch(), (error, count) => {
      this.#writing = false
      if (error === null && count > 0) this.#written(count)
      else this.#failed(error)
      this.#pump()
    })
  }

  /** Whole lines, as many as go well in one call, without what is written already. */
  #batch(): Buffer {
    const lines: Line[] = []
    let bytes = 0
    for (const line of this.#waiting) {
      if (lines.length > 0 && bytes + line.bytes.length > batchBytes) break
      lines.push(line)
      bytes += line.bytes.length
    }
    return Buffer.concat(lines.map(({ bytes }) => bytes)).subarray(this.#offset)
  }

  #written(count: number): void {
    this.#offset += count
    let done = 0
    for (const line of this.#waiting) {
      if (this.#offset < line.bytes.length) break
      this.#offset -= line.bytes.length
      this.#waitingBytes -= line.bytes.length
      line.state = 'written'
      done++
    }
    this.#waiting.splice(0, done)
    this.#stuckSinceMs = null
    this.#refused = false
    this.#pauseMs = pollMs.first
    if (this.#untold > 0) this.#tellLost()
  }

  #failed(error: NodeJS.ErrnoException | null): void {
    this.#refused = error !== null && error.code !== 'EAGAIN'
    // The next reader of a pipe must not begin in the middle of a line.
    if (error?.code === 'EPIPE') this.#offset = 0
    const pauseMs = this.#refused ? this.#options.retryAfterMs : this.#pauseMs
    this.#pauseMs = Math.min(2 * this.#pauseMs, pollMs.longest)
    // A log that can't be written keeps no process alive.
    this.#timer = setTimeout(() => this.#retry(), pauseMs).unref()
  }

  #retry(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#pump()
  }

  #tellLost(): void {
    const facts = {
      level: 40,
      time: Date.now(),
      event: 'log_lines_lost',
      lost: this.#untold,
      msg: 'log lines were lost: they could not be written'
    }
    this.#untold = 0
    this.#add({ state: 'waiting', bytes: Buffer.from(`${JSON.stringify(facts)}\n`) })
  }
}

/**
 * The log on a file descriptor of this process, 1 for standard output. A regular file is written by another thread, since a disk
 * may hang; all else without blocking.
 */
export function openLogOutput(fd: number): LogOutput {
  const kind = fstatSync(fd)
  return new BoundedLog({ sink: kind.isFile() ? inThread(fd) : atOnce(notBlocking(fd, kind.isSocket())) })
}

function inThread(fd: number): Sink {
  return (bytes, done) => write(fd, bytes, done)
}

function atOnce(fd: number): Sink {
  return (bytes, done) => {
    let count: number
    try {
      count = writeSync(fd, bytes)
    } catch (error) {
      done(error as NodeJS.ErrnoException, 0)
      return
    }
    done(null, count)
  }
}

/** Opens the descriptor once more, so that no other process that shares it can make it block again. */
function notBlocking(fd: number, isSocket: boolean): number {
  if (!isSocket) {
    try {
      return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
    } catch {
      // Without /proc, or where another user has made the pipe: then as for sockets.
    }
  }
  // Node makes it non-blocking when it opens the stream.
  void process.stdout
  return fd
}
