import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

/** The calls that crossed to the store's threads. */
export interface StoreCalls {
  /** Look-ups. */
  reads: string[]
  /** Groups of transactions: each is one commit, and so one fsync. */
  commits: string[][]
}

type Message = { read?: { sql: string }; write?: { statements: { sql: string }[] }[] }[] | null

/** Memory that follows the store asks it every second, whatever is called. */
const following = /where "revision" > |from "meta"|limit \?$/

/** The beat of a gateway that serves its store comes every other second. */
const beat = /^update "meta" set "value" = \? where "name" = \? and "value" like \?$/

export interface StoreCounter {
  /** Gives the calls since it was last taken. */
  take(): StoreCalls
  /** Waits for what goes on behind answers that were given. */
  idle(): Promise<void>
}

/** Work that follows on work of the store is there within so many turns of the event loop. */
const quietTurns = 20

/** Counts the store's work in this process from now on, at the border of its threads; ends with the test. */
export function countStoreCalls(t: { teardown(fn: () => unknown): void }): StoreCounter {
  const post = Worker.prototype.postMessage
  const emit = Worker.prototype.emit
  let underWay = 0
  let calls: StoreCalls = { reads: [], commits: [] }
  Worker.prototype.postMessage = function (message: Message, ...rest) {
    underWay += message?.length ?? 0
    for (const { read, write } of message ?? []) {
      if (read !== undefined) calls.reads.push(read.sql)
      if (write !== undefined) calls.commits.push(write.flatMap(({ statements }) => statements.map(({ sql }) => sql)))
    }
    return post.call(this, message, ...rest)
  }
  Worker.prototype.emit = function (event: string, ...args: unknown[]) {
    if (event === 'message') underWay -= (args[0] as unknown[]).length
    return Reflect.apply(emit, this, [event, ...args])
  }
  t.teardown(() => {
    Worker.prototype.postMessage = post
    Worker.prototype.emit = emit
  })
  return {
    async idle() {
      for (let quiet = 0; quiet < quietTurns; quiet += 1) {
        await turn()
        if (underWay > 0) quiet = 0
      }
    },
    take() {
      const reads = calls.reads.filter(sql => !following.test(sql))
      const commits = calls.commits.filter(sqls => !sqls.every(sql => beat.test(sql)))
      const taken = { reads, commits }
      calls = { reads: [], commits: [] }
      return taken
    }
  }
}
