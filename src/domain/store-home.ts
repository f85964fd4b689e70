import type { Secret } from './values/secret.ts'

/** Place of a store: a SQLite file, or a database of a PostgreSQL server. */
export type StoreHome = SqliteHome | PostgresHome

export interface SqliteHome {
  readonly kind: 'sqlite'
  readonly file: string
}

export interface PostgresHome {
  readonly kind: 'postgres'
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** Null where the server asks for none. */
  readonly password: Secret | null
  /** Null: nothing is encrypted on the way. */
  readonly tls: PostgresTls | null
}

export interface PostgresTls {
  /** The certificate authorities that are trusted, in PEM; null: the usual ones. */
  readonly ca: string | null
  /** Whether the certificate must be one for the host's name, too. */
  readonly checksName: boolean
}

/** The name of a store for people. It has no secret. */
export function nameOfHome(home: StoreHome): string {
  if (home.kind === 'sqlite') return home.file
  const { host, port, database } = home
  return `postgres://${host.startsWith('/') ? '' : `${host}:${port}`}/${database}`
}
