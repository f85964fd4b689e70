/** A thread with one SQLite connection: a message in, a message out. Everything that it does is in `sqlite-connection.ts`. */
import { parentPort, workerData } from 'node:worker_threads'
import { StoreError } from './engine.ts'
import { SqliteConnection } from './sqlite-connection.ts'
import type { Answer, Job, Message } from './sqlite-thread.ts'

const connection = open()
parentPort?.on('message', (jobs: Message) => {
  if (jobs !== null) {
    parentPort?.postMessage(jobs.map(answer))
  } else {
    connection.close()
    parentPort?.close()
  }
})

function open(): SqliteConnection {
  try {
    return new SqliteConnection(workerData)
  } catch (error) {
    // When an error ends a thread, nothing but its message crosses the border.
    throw error instanceof StoreError ? new Error(error.reason) : error
  }
}

function answer({ id, check, read, write = [] }: Job): Answer {
  if (check) return { id, results: [connection.check()] }
  return { id, results: read === undefined ? connection.write(write) : [connection.read(read)] }
}
