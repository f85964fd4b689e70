import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { CommandError } from './io.ts'

interface ListenError {
  code?: string
  syscall?: string
  port?: number
  /** An IP address, or the path of a Unix socket. */
  address?: string
}

/**
 * The error of a server that could not begin to listen, in words for the one who chose the address; other errors as they are.
 * @param remedy what to do about a port, e.g. `give another with --port`
 */
export function cannotListen(error: unknown, remedy: string): unknown {
  if (!(error instanceof Error)) return error
  const { code, syscall, port, address } = error as Error & ListenError
  if (syscall !== 'listen' && syscall !== 'getaddrinfo') return error
  // Node says EACCES for both: no folder, and no right to it.
  const folder = code === 'EACCES' && address?.startsWith('/') ? dirname(address) : undefined
  if (folder !== undefined && !existsSync(folder))
    return new CommandError(`cannot listen at ${address}: there is no folder ${folder}`, { cause: error })
  const text =
    code === 'EADDRINUSE'
      ? `${port === undefined || port < 0 ? address : `port ${port}`} is taken`
      : `cannot listen: ${error.message}`
  return new CommandError(`${text}; ${remedy}`, { cause: error })
}
