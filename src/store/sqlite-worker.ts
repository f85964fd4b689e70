/** A thread with one SQLite connection: a message in, a message out. Everything that it does is in `sqlite-connection.ts`. */
import { parentPort, workerData } from 'node:worker_threads'
import { SqliteConnection } from './sqlite-connection.ts'
import type { Message } from './sqlite-thread.ts'

const connection = new SqliteConnection(workerData)
parentPort?.on('message', ({ id, read, write }: Message) => {
  if (read !== undefined) {
    parentPort?.postMessage({ id, results: [connection.read(read)] })
  } else if (write !== undefined) {
    parentPort?.postMessage({ id, results: connection.write(write) })
  } else {
    connection.close()
    parentPort?.close()
  }
})
