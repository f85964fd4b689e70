import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import type { Io } from '../../src/commands/process/io.ts'
import { main } from '../../src/commands/process/main.ts'
import { define } from '../../src/commands/usage/define.ts'
import type { Environment } from '../../src/config/config.ts'
import type { TestContext } from './gateway.ts'
import { inMemory } from './in-memory.ts'
import { programOf } from './runner/built.ts'
import { openAtHome, snapshotAtHome } from './store.ts'
import { pauseMs } from './until.ts'

export interface Outcome {
  code: number
  stdout: string
  stderr: string
}

export interface CommandLine {
  /** Runs one command in this process, on the store of this command line: `run('tenant', 'list')`. */
  run(...args: string[]): Promise<Outcome>
  /** The same with `--json`, which has to work: gives the one document that it printed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  json(...args: string[]): Promise<any>
  storeFile: string
  env: Environment
}

/** The command line with nothing in its environment but a store in the test's own folder, and what the test adds. */
export function commandLine(t: TestContext, env: Environment = {}): CommandLine {
  const storeFile = env.DATABASE_URL?.replace('sqlite:', '') ?? join(inMemory(t).testdir(), 'livegate.db')
  const ours = { DATABASE_URL: `sqlite:${storeFile}`, ...env }
  const run = (...args: string[]): Promise<Outcome> => runHere(args, ours)
  return {
    run,
    storeFile,
    env: ours,
    async json(...args) {
      const { code, stdout, stderr } = await run(...args, '--json')
      if (code !== 0) throw new Error(`${args.join(' ')}: exit code ${code}, ${stderr}`)
      return JSON.parse(stdout)
    }
  }
}

/** One command in this process, which costs much less than a process of its own. */
export async function runHere(
  args: string[],
  env: Environment,
  openStore = openAtHome,
  more: Pick<Io, 'progress' | 'onInterrupt'> = {}
): Promise<Outcome> {
  const { io, stdout, stderr } = commandIo(env, openStore)
  const code = await main(define, args, { ...io, ...more })
  return { code, stdout: stdout(), stderr: stderr() }
}

/** The world of a command in this process, and what it has printed so far. */
export function commandIo(env: Environment, openStore = openAtHome) {
  let stdout = ''
  let stderr = ''
  const io: Io = {
    env,
    out(text) {
      stdout += `${text}\n`
    },
    err(text) {
      stderr += `${text}\n`
    },
    async write(text) {
      stdout += text
    },
    openStore,
    openSnapshot: snapshotAtHome
  }
  return { io, stdout: () => stdout, stderr: () => stderr }
}

export interface Running {
  pid: number
  /** Gives what it has printed so far. */
  stdout(): string
  stderr(): string
  /** Waits until standard output matches; rejects when the process ends before. */
  line(pattern: RegExp): Promise<RegExpExecArray>
  signal(signal: NodeJS.Signals): void
  /** How it ended: an exit code, or null when a signal killed it. */
  ended: Promise<Omit<Outcome, 'code'> & { code: number | null }>
}

/**
 * A command line as a process of its own, with a clean environment; what was compiled once is kept. The test kills it when it is still there
 * at its end. It runs the build of this run where there is one, unless it takes part in the coverage.
 */
export function startProcess(
  t: TestContext,
  args: string[],
  env: Environment = {},
  limits: { openFiles?: number } = {}
): Running {
  const program = env.NODE_OPTIONS === undefined ? programOf('src/cli.ts') : 'src/cli.ts'
  return startNode(t, [program, ...args], env, limits)
}

/** The same, until it ends by itself. */
export async function runProcess(t: TestContext, args: string[], env: Environment = {}): Promise<Outcome> {
  const { code, ...rest } = await startProcess(t, args, env).ended
  return { ...rest, code: code ?? Number.NaN }
}

/** @param limits of the process, as the shell sets them */
export function startNode(
  t: TestContext,
  args: string[],
  env: Environment,
  { openFiles }: { openFiles?: number } = {}
): Running {
  const limited = openFiles === undefined ? [] : ['/bin/sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`]
  return start(t, [...limited, process.execPath, ...args], env)
}

/** The same for any program. */
export function start(t: TestContext, [program = '', ...args]: string[], env: Environment): Running {
  // A process whose coverage is measured must compile for itself (`run.ts`).
  const cache = env.NODE_OPTIONS === undefined ? { NODE_COMPILE_CACHE: resolve('.tap/compiled') } : {}
  const surroundings = { ...inherited(/^PATH$/), ...cache }
  const child = spawn(program, args, { env: { ...surroundings, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  t.teardown(async () => {
    child.kill('SIGKILL') // does nothing to one that has ended
    await ended
  })
  return {
    pid: child.pid ?? Number.NaN,
    stdout: () => stdout,
    stderr: () => stderr,
    async line(pattern) {
      const found = new Promise<RegExpExecArray>(resolve => {
        const look = (): void => {
          const match = pattern.exec(stdout)
          if (match !== null) resolve(match)
        }
        child.stdout.on('data', look)
        look()
      })
      const none = ended.then(({ code }) => {
        throw new Error(`ended with ${code} before ${pattern}: ${stdout}${stderr}`)
      })
      return Promise.race([found, none])
    },
    signal: signal => process.kill(child.pid ?? Number.NaN, signal),
    ended
  }
}

/** For a process that takes part in the coverage, since it runs lines that no other does: it takes twice as long to start. */
export const measured = inherited(/^(NODE_OPTIONS$|NODE_V8_COVERAGE$|_TAPJS_)/)

function inherited(names: RegExp): Environment {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => names.test(name)))
}

/** Asks again and again until the answer is as wanted, for so long at most. */
export async function until<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean, withinMs = 60_000): Promise<T> {
  const sinceMs = performance.now()
  for (;;) {
    const answer = await ask()
    const waitedMs = performance.now() - sinceMs
    if (wanted(answer) || waitedMs > withinMs) return answer
    await new Promise(resolve => setTimeout(resolve, pauseMs(waitedMs)))
  }
}

/** The message that a person sees of a command that did not work: nothing on standard output, one line of ours on standard error. */
export function refused({ stdout, stderr }: Pick<Outcome, 'stdout' | 'stderr'>): string {
  const line = /^livegate: ([^\n]*)\n$/.exec(stderr)?.[1]
  return stdout === '' && line !== undefined
    ? line
    : `more than one line of ours: ${JSON.stringify({ stdout, stderr })}`
}
