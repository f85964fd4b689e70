/** A thread with one SQLite connection: a message in, a message out. Everything that it does is in `sqlite-connection.ts`. */
import { parentPort, workerData } from 'node:worker_threads'
import { StoreError } from './engine.ts'
import { SqliteConnection } from './sqlite-connection.ts'
import type { Job, JobAnswer, Message } from './transaction.ts'

/** The log is written back after so long without a write. */
const idleMs = 1_000

const connection = open()
let idle: NodeJS.Timeout | undefined
parentPort?.on('message', (jobs: Message) => {
  if (jobs !== null) {
    parentPort?.postMessage(jobs.map(answer))
    if (jobs.some(({ write }) => write !== undefined)) {
      idle ??= setTimeout(() => connection.fold(), idleMs)
      idle.refresh()
    }
  } else {
    clearTimeout(idle)
    connection.close()
    parentPort?.close()
  }
})

function open(): SqliteConnection {
  try {
    return new SqliteConnection(workerData)
  } catch (error) {
    // Only the message of an error crosses the border when it ends a thread.
    throw error instanceof StoreError ? new Error(error.reason) : error
  }
}

function answer({ id, check, read, write, fold }: Job): JobAnswer {
  if (check) return { id, results: [connection.check()] }
  if (fold) connection.fold()
  if (write !== undefined) return { id, results: connection.write(write) }
  return { id, results: read === undefined ? [] : [connection.lookUp(read)] }
}
