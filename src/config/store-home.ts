import { resolve } from 'node:path'
import type { PostgresHome, PostgresTls, StoreHome } from '../domain/store-home.ts'
import { Secret } from '../domain/values/secret.ts'
import { type Input, isLoopback } from './environment.ts'
import { readSetting } from './settings.ts'

/** Parts of the address that follow its question mark. */
const known = new Set(['sslmode', 'sslrootcert', 'host'])
const modes = ['disable', 'verify-ca', 'verify-full'] as const
const usualPort = 5432

/** Reads where the store is. */
export function readHome(input: Input): StoreHome {
  const text = readSetting(input, 'DATABASE_URL')
  const file = /^sqlite:(?!\/\/|:)(.+)$/.exec(text)?.[1]
  if (file !== undefined) return { kind: 'sqlite', file: resolve(file) }
  const home = /^postgres(ql)?:/.test(text) ? readAddress(input, text) : null
  if (home === null) input.problem('DATABASE_URL must be sqlite:<file>, or postgres://user:password@host:port/database')
  return home ?? { kind: 'sqlite', file: resolve('.') }
}

/** Null for what is no address. */
function readAddress(input: Input, text: string): PostgresHome | null {
  const url = URL.parse(text)
  if (url === null) return null
  const parameters = url.searchParams
  const [database, user, password] = [url.pathname.slice(1), url.username, url.password].map(decoded)
  const host = parameters.get('host') ?? url.hostname.replace(/^\[|\]$/g, '')
  if (!database || !user || password === undefined || host === '' || url.hash !== '') return null
  for (const name of parameters.keys()) {
    if (!known.has(name)) input.problem(`DATABASE_URL: ${name} is not known, only ${[...known].join(', ')}`)
  }
  const isNear = host.startsWith('/') || isLoopback(url.hostname)
  return Object.freeze({
    kind: 'postgres',
    ...{ host, port: Number(url.port || usualPort), database, user },
    password: password === '' ? null : new Secret(password),
    tls: readTls(input, parameters, isNear)
  })
}

/** Whether the server is who it says decides: a way that is only encrypted may lead to anybody. */
function readTls(input: Input, parameters: URLSearchParams, isNear: boolean): PostgresTls | null {
  const text = parameters.get('sslmode') ?? (isNear ? 'disable' : 'verify-full')
  const mode = modes.find(one => one === text)
  if (mode === undefined) input.problem(`DATABASE_URL: sslmode must be one of ${modes.join(', ')}`)
  const file = parameters.get('sslrootcert')
  const ca = file === null ? null : input.file(resolve(file))
  if (file !== null && ca === null) input.problem('DATABASE_URL: sslrootcert cannot be read')
  return mode === 'disable' ? null : Object.freeze({ ca, checksName: mode !== 'verify-ca' })
}

/** Undefined for what is written wrongly. */
export function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
