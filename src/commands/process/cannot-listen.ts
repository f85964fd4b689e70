import { CommandError } from './io.ts'

/**
 * The error of a server that could not begin to listen, in words for the one who chose the address; other errors as they are.
 * @param remedy what to do about a port, e.g. `give another with --port`
 */
export function cannotListen(error: unknown, remedy: string): unknown {
  if (!(error instanceof Error)) return error
  const { code, syscall, port } = error as Error & { code?: string; syscall?: string; port?: number }
  if (syscall !== 'listen' && syscall !== 'getaddrinfo') return error
  const text = code === 'EADDRINUSE' ? `port ${port} is taken` : `cannot listen: ${error.message}`
  return new CommandError(`${text}; ${remedy}`, { cause: error })
}
