import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { urlToHttpOptions } from 'node:url'
import { CommandError, type Io, type JsonOption, print } from './process/io.ts'

/** Asks whether the gateway of this container answers, for `HEALTHCHECK`. */
export async function healthcheck(io: Io, options: JsonOption): Promise<void> {
  const { HOST = '', PORT } = io.env
  const host = /^(0\.0\.0\.0|::)?$/.test(HOST) ? '127.0.0.1' : HOST
  const isUnix = host.startsWith('unix:')
  const url = isUnix ? `${host} /livez` : `http://${host.includes(':') ? `[${host}]` : host}:${PORT || 3000}/livez`
  const parsed = URL.parse(isUnix ? 'http://localhost/livez' : url)
  if (parsed === null) throw new CommandError(`${url} does not answer`)
  const place = { ...urlToHttpOptions(parsed), ...(isUnix && { socketPath: host.slice('unix:'.length) }) }
  const call = request({ ...place, agent: false, signal: AbortSignal.timeout(3_000) }).end()
  const [{ statusCode }] = (await once(call, 'response').catch(cause => {
    throw new CommandError(`${url} does not answer`, { cause })
  })) as [IncomingMessage]
  call.destroy()
  if (statusCode !== 200) throw new CommandError(`${url} answers ${statusCode}`)
  print(io, options, { ok: true }, 'ok')
}
