/** A thread with one SQLite connection: a message in, a message out. Everything that it does is in `sqlite-connection.ts`. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Job, SqliteConnection } from './sqlite-connection.ts'

const connection = new SqliteConnection(workerData)
parentPort?.on('message', ({ id, job }: { id: number; job: Job | null }) => {
  if (job === null) {
    connection.close()
    parentPort?.close()
  } else {
    parentPort?.postMessage({ id, result: connection.run(job) })
  }
})
