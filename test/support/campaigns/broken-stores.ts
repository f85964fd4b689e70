import { spawnSync } from 'node:child_process'
import type { Worker } from 'node:worker_threads'
import Database from 'better-sqlite3'
import type { TestContext } from '../gateway.ts'

/**
 * Every write of this process to a file fails from now on, as on a full disk: the system's limit of a file's size is 0, which
 * needs no rights and no disk of its own. Gives back what lifts it; the end of the test does so too.
 */
export function fillDisk(t: Pick<TestContext, 'teardown'>): () => void {
  // Else the signal that comes with the error would end the process. For good: one of before the repair may be heard after it.
  process.on('SIGXFSZ', ignore)
  const [soft = ''] = prlimit('--fsize', '--output=SOFT', '--noheadings').trim().split(/\s+/)
  const print = holdOutput()
  prlimit('--fsize=0:')
  let full = true
  const repair = (): void => {
    if (!full) return
    full = false
    prlimit(`--fsize=${soft}:`)
    print()
  }
  t.teardown(repair)
  return repair
}

/** A function of its own, so that it listens once, however many disks are filled. */
function ignore(): void {}

/** Holds back what this process prints, maybe to a file as well, until there is room. Gives the function that prints it. */
function holdOutput(): () => void {
  const printing = [process.stdout, process.stderr].map(stream => {
    const { write } = stream
    const held: Parameters<typeof write>[] = []
    stream.write = (...args: unknown[]): boolean => {
      held.push(args as Parameters<typeof write>)
      return true
    }
    return () => {
      stream.write = write
      for (const args of held) stream.write(...args)
    }
  })
  return () => {
    for (const print of printing) print()
  }
}

/** False where the command that sets such a limit is not installed: it is part of util-linux. */
export function canFillDisk(): boolean {
  return spawnSync('prlimit', ['--version']).status === 0
}

function prlimit(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('prlimit', ['--pid', String(process.pid), ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`prlimit ${args}: ${stderr}`)
  return stdout
}

/**
 * The store refuses every audit event and every operation, as one on a read-only file system does. (Nobody takes a file that is
 * open away from root: what `chmod` does, a gateway that runs would not notice.)
 */
export function refuseWrites(file: string): () => void {
  const tables = ['audit_events', 'operations', 'audit_checkpoints']
  const change = (sql: (table: string) => string): void => {
    const database = new Database(file, { timeout: 10_000 })
    for (const table of tables) database.exec(sql(table))
    database.close()
  }
  change(
    table => `create trigger refuse_${table} before insert on ${table}
    begin select raise(abort, 'attempt to write a readonly database'); end`
  )
  return () => change(table => `drop trigger refuse_${table}`)
}

export interface Freezer {
  /** The thread that writes gets no order any more: it stands still before it has begun. Gives back what lets it go on. */
  beforeTheWrite(): () => void
  /** Nobody hears of what it does any more: it stands still in the commit, when the event may be on disk already. */
  inTheCommit(): () => void
  /** How many orders or answers are held back. */
  held(): number
}

/** Stops the writing thread of the gateway that is started next. To be called before it. */
export function freezer(t: TestContext): Freezer {
  const held: (() => void)[] = []
  let hold: 'orders' | 'answers' | null = null
  const watch = (worker: Worker): void => {
    let writes = false
    const post = worker.postMessage.bind(worker)
    worker.postMessage = (message: { write?: unknown }[] | null) => {
      writes ||= message?.some(({ write }) => write !== undefined) ?? false
      if (hold === 'orders' && writes) held.push(() => post(message))
      else post(message)
    }
    const emit = worker.emit.bind(worker)
    worker.emit = (event: string | symbol, ...args: unknown[]): boolean => {
      if (hold !== 'answers' || !writes || event !== 'message') return emit(event, ...args)
      held.push(() => emit(event, ...args))
      return true
    }
  }
  process.on('worker', watch)
  t.teardown(() => process.off('worker', watch))
  const stand = (what: 'orders' | 'answers') => (): (() => void) => {
    hold = what
    return () => {
      hold = null
      for (const go of held.splice(0)) go()
    }
  }
  return { beforeTheWrite: stand('orders'), inTheCommit: stand('answers'), held: () => held.length }
}
