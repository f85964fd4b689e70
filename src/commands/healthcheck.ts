import { CommandError, type Io, type JsonOption, print } from './process/io.ts'

/** Asks whether the gateway of this container answers, for `HEALTHCHECK`. */
export async function healthcheck(io: Io, options: JsonOption): Promise<void> {
  const host = io.env.HOST === undefined || /^(0\.0\.0\.0|::)?$/.test(io.env.HOST) ? '127.0.0.1' : io.env.HOST
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${io.env.PORT || 3000}/livez`
  const answer = await fetch(url, { signal: AbortSignal.timeout(3_000) }).catch(cause => {
    throw new CommandError(`${url} does not answer`, { cause })
  })
  if (!answer.ok) throw new CommandError(`${url} answers ${answer.status}`)
  print(io, options, { ok: true }, 'ok')
}
