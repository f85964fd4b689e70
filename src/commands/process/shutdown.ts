import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

/** The reason to end: a signal, or an error that nobody caught. */
export interface Cause {
  signal?: NodeJS.Signals
  err?: unknown
}

/** The end of a process that has something to finish. */
export interface Ending {
  /** Finishes what is under way, and closes what is open. */
  close(): Promise<unknown>
  /** Ceiling of `close`. */
  withinMs: number
  /** Hears the reason first. Without it an error is a line on standard error. */
  onCause?(cause: Cause): void
  /** Hears that closing has taken longer, or has failed. */
  onTrouble?(error: unknown): void
}

const endingSignals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGQUIT']
/** Commands that run until they are told to end: a signal is no failure of theirs. */
const services: readonly string[] = ['serve', 'demo', 'simulate']
/** Ceiling of what follows when all is closed, or can't be closed. */
const leaveWithinMs = 500
/** Part of that for `beforeLeaving`. */
const lastWorkMs = 300

let command = ''
let meaning: (cause: Cause) => void = leaveAtOnce
let closing = false
let leaving = false
const lastWork = new Set<() => Promise<unknown>>()
const workers = new Set<Worker>()
const ignore = (): void => {}
let turnLog = ignore

/**
 * Takes all signals, and the errors that nobody catches, for as long as this process lives. `cli.ts` calls it before anything else
 * is loaded; what they mean changes from then on, and the handler never does: one that comes while another is put in its place is
 * lost in the first process of a container.
 */
export function takeSignals(name = ''): void {
  command = name
  process.on('worker', worker => {
    workers.add(worker)
    worker.once('exit', () => workers.delete(worker))
  })
  process.on('uncaughtException', err => heard({ err }))
  process.on('unhandledRejection', err => heard({ err }))
  // A file that may not grow: the write fails as on a full disk, and ends nothing.
  process.on('SIGXFSZ', ignore)
  for (const signal of endingSignals) process.on(signal, () => heard({ signal }))
  // A gateway's log is told to say more, or less; for all else it is a signal like the others.
  process.on('SIGUSR2', signal => (command === 'serve' ? turnLog() : heard({ signal })))
  // The terminal of a gateway has gone, or somebody turns over its log: it goes on.
  process.on('SIGHUP', signal => command !== 'serve' && heard({ signal }))
}

/** True for a process that runs until it is told to end. */
export function isService(): boolean {
  return services.includes(command)
}

/**
 * From now on there is something to finish: the first signal, or error, closes it and ends the process, with 0 or 1. A second one
 * ends it at once, and so does the ceiling. Gives back what takes this away again.
 */
export function endWith({ close, withinMs, onCause = print, onTrouble = () => {} }: Ending): () => void {
  return mean(cause => {
    closing = true
    killWhenBlocked(withinMs).catch(ignore)
    onCause(cause)
    const trouble = (error: unknown): void => {
      onTrouble(error)
      leave(1)
    }
    setTimeout(() => trouble(new Error(`not closed within ${withinMs} ms`)), withinMs)
    close().then(() => leave(cause.signal === undefined ? 1 : 0), trouble)
  })
}

/** From now on a signal ends nothing by itself; the callback hears each. Gives back what ends this. */
export function onInterrupt(interrupt: () => void): () => void {
  return mean(cause => (cause.signal === undefined ? leaveAtOnce(cause) : interrupt()))
}

/** Hears SIGUSR2 in a gateway, where it ends nothing. */
export function onLogSignal(turn: () => void): void {
  turnLog = turn
}

/** Has work done before this process ends, if there is time, or at once in a command. Gives back what takes it away again. */
export function beforeLeaving(work: (withinMs: number) => Promise<unknown>): () => void {
  const last = () => work(lastWorkMs)
  lastWork.add(last)
  return () => lastWork.delete(last)
}

/**
 * Ends this process, within half a second whatever hangs. (`process.exit` waits for its threads: one that hangs in a write, in a
 * look-up or in the store would keep it for ever.)
 */
export async function leave(code: number): Promise<void> {
  if (leaving) return
  leaving = true
  setTimeout(() => exitHard(code), leaveWithinMs)
  await doLastWork()
  await Promise.allSettled([...workers].map(worker => worker.terminate()))
  while (process.getActiveResourcesInfo().some(holdsThread)) await sleep(5)
  process.exit(code)
}

/** True for work on a thread of the pool, which `process.exit` waits for. */
function holdsThread(resource: string): boolean {
  return /^(FSReq|GetAddrInfo|GetNameInfo)/.test(resource)
}

/**
 * Puts a program that ends at once in the place of this one: that ends every thread, whatever it waits for, also in the first process
 * of a container, which no signal of its own can kill.
 */
function exitHard(code: number): void {
  process.execve?.(process.execPath, [process.execPath, '-e', `process.exit(${code})`], {})
}

function mean(next: typeof meaning): () => void {
  meaning = next
  return () => {
    if (meaning === next) meaning = leaveAtOnce
  }
}

function heard(cause: Cause): void {
  if (closing) leave(1)
  else meaning(cause)
}

/** There is nothing to finish. A command that is interrupted ends by the signal, so that the shell sees it. */
function leaveAtOnce(cause: Cause): void {
  const { signal } = cause
  print(cause)
  if (signal === undefined) {
    leave(1)
  } else if (isService()) {
    leave(0)
  } else {
    // The work is begun and not waited for, since the command would go on meanwhile.
    doLastWork()
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
    // Only the first process of a container is still there.
    leave(128 + constants.signals[signal])
  }
}

function doLastWork(): Promise<unknown> {
  return Promise.allSettled([...lastWork].map(work => work()))
}

function print({ signal, err }: Cause): void {
  if (signal === undefined) process.stderr.write(`livegate: unexpected: ${err instanceof Error ? err.message : err}\n`)
}

/** Watches this thread from another one: a thread that hangs runs no time-out of its own. */
async function killWhenBlocked(withinMs: number): Promise<void> {
  const script = `setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${withinMs + 2 * leaveWithinMs})`
  new Worker(script, { eval: true }).on('error', ignore).unref()
}
