/** A thread with one SQLite connection: a message in, a message out. Everything that it does is in `sqlite-connection.ts`. */
import { parentPort, workerData } from 'node:worker_threads'
import { SqliteConnection } from './sqlite-connection.ts'
import type { Answer, Job, Message } from './sqlite-thread.ts'

const connection = new SqliteConnection(workerData)
parentPort?.on('message', (jobs: Message) => {
  if (jobs !== null) {
    parentPort?.postMessage(jobs.map(answer))
  } else {
    connection.close()
    parentPort?.close()
  }
})

function answer({ id, read, write = [] }: Job): Answer {
  return { id, results: read === undefined ? connection.write(write) : [connection.read(read)] }
}
