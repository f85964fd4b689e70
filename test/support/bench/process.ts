import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtProbe } from '../runner/built.ts'
import type { Question } from './probe.ts'

export interface Served {
  readonly name: string
  readonly url: string
  readonly pid: number
  /** From the spawn to the line that says where it listens. */
  readonly startMs: number
  /** CPU time of all its threads so far, from the scheduler, in nanoseconds; without threads that have ended. */
  cpuNs(): number
  /** The same of each thread, by its name. */
  threadsNs(): Record<string, number>
  rssBytes(): number
  /** The most that it ever took. */
  peakBytes(): number
  /** Asks the probe in it (`probe.ts`), when it was started with one. */
  ask<T>(question: Question): Promise<T>
  stop(): Promise<void>
}

export interface Start {
  name: string
  /** A folder of its own: its output goes to a file there, as in production, and not through a pipe to the bench. */
  folder: string
  args: string[]
  env?: Record<string, string>
  /** Node unless given. */
  command?: string
  probe?: boolean
}

const listening = /"url":"([^"]+)".*"msg":"livegate listens"|^listens (\S+)$/m

/** Starts a server in a process of its own, with nothing of the environment, and waits until it listens. */
export async function serve(start: Start): Promise<Served> {
  const { name, folder, args, env = {}, command = process.execPath, probe = false } = start
  const logFile = join(folder, `${name.replaceAll(/\W+/g, '-')}-${Math.round(performance.now())}.log`)
  const log = openSync(logFile, 'w')
  const startedAtMs = performance.now()
  const all = probe ? ['--expose-gc', '--import', builtProbe(), ...args] : args
  const child = spawn(command, all, {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: probe ? ['ignore', log, log, 'ipc'] : ['ignore', log, log]
  })
  const url = await listensAt(child, logFile)
  const pid = child.pid ?? Number.NaN
  return {
    name,
    url,
    pid,
    startMs: performance.now() - startedAtMs,
    cpuNs: () => Object.values(threadsNs(pid)).reduce((sum, ns) => sum + ns, 0),
    threadsNs: () => threadsNs(pid),
    rssBytes: () => memoryBytes(pid, 'VmRSS'),
    peakBytes: () => memoryBytes(pid, 'VmHWM'),
    async ask<T>(question: Question) {
      const answered = once(child, 'message')
      child.send(question)
      const [answer] = await answered
      return answer as T
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 15_000)
      await ended
      clearTimeout(late)
    }
  }
}

async function listensAt(child: ChildProcess, logFile: string): Promise<string> {
  for (;;) {
    const text = readFileSync(logFile, 'utf8')
    const [, ours, theirs] = listening.exec(text) ?? []
    const url = ours ?? theirs
    if (url !== undefined) return url
    if (child.exitCode !== null) throw new Error(`${child.spawnargs.join(' ')} ended: ${text}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

function threadsNs(pid: number): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${thread}`
    try {
      const name = thread === String(pid) ? 'main' : readFileSync(`${folder}/comm`, 'utf8').trim()
      sums[name] = (sums[name] ?? 0) + Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[0])
    } catch {} // it has just ended
  }
  return sums
}

function memoryBytes(pid: number, what: 'VmRSS' | 'VmHWM'): number {
  const [, kilobytes] = new RegExp(`${what}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

/** User and system time of all threads, those that have ended too; the kernel counts hundredths of a second (proc(5)). */
export function cpuOfProcessMs(pid: number): number {
  const [, , ...fields] = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, 'pid comm ')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
