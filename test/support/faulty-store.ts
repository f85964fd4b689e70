import Database from 'better-sqlite3'

/** Holds the write lock of a store, as another process would, until it is given back. */
export function lockStore(file: string): () => void {
  const database = new Database(file)
  database.exec('BEGIN IMMEDIATE')
  return () => {
    database.exec('ROLLBACK')
    database.close()
  }
}
