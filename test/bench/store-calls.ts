import { Worker } from 'node:worker_threads'

/** What crossed to the store's threads. */
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

/** Counts the store's work in this process from now on, at the border of its threads; ends with the test. */
export function countStoreCalls(t: { teardown(fn: () => unknown): void }): { take(): StoreCalls } {
  const post = Worker.prototype.postMessage
  let calls: StoreCalls = { reads: [], commits: [] }
  Worker.prototype.postMessage = function (message: Message, ...rest) {
    for (const { read, write } of message ?? []) {
      if (read !== undefined) calls.reads.push(read.sql)
      if (write !== undefined) calls.commits.push(write.flatMap(({ statements }) => statements.map(({ sql }) => sql)))
    }
    return post.call(this, message, ...rest)
  }
  t.teardown(() => {
    Worker.prototype.postMessage = post
  })
  return {
    take() {
      const reads = calls.reads.filter(sql => !following.test(sql))
      const commits = calls.commits.filter(sqls => !sqls.every(sql => beat.test(sql)))
      const taken = { reads, commits }
      calls = { reads: [], commits: [] }
      return taken
    }
  }
}
