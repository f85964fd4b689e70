import { once } from 'node:events'
import { type IncomingMessage, type RequestOptions, request } from 'node:http'
import { urlToHttpOptions } from 'node:url'
import type { Environment } from '../../config/config.ts'

/** A place of a gateway on this machine, as people write it, and as it is asked; null where that is no address. */
export interface Place {
  url: string
  options: RequestOptions | null
}

/** The place of a path at the port, or the Unix socket, where callers come. */
export function placeOfCallers({ HOST = '', PORT }: Environment, path: string): Place {
  const host = /^(0\.0\.0\.0|::)?$/.test(HOST) ? '127.0.0.1' : HOST
  if (!host.startsWith('unix:')) return placeAt(host, PORT || 3000, path)
  const options = placeAt('localhost', 80, path).options
  return { url: `${host} ${path}`, options: options && { ...options, socketPath: host.slice('unix:'.length) } }
}

export function placeAt(host: string, port: string | number, path: string): Place {
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`
  const parsed = URL.parse(url)
  return { url, options: parsed && urlToHttpOptions(parsed) }
}

/** Asks it, for so long at most. Null when nobody answers. */
export async function askGateway(
  { options }: Place,
  withinMs = 3_000
): Promise<{ status: number; text: string } | null> {
  if (options === null) return null
  try {
    const call = request({ ...options, agent: false, signal: AbortSignal.timeout(withinMs) }).end()
    const [answer] = (await once(call, 'response')) as [IncomingMessage]
    const text = Buffer.concat(await answer.toArray()).toString('utf8')
    return { status: answer.statusCode ?? 0, text }
  } catch {
    return null
  }
}
