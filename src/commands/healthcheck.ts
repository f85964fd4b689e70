import { askGateway, placeOfCallers } from './process/ask-gateway.ts'
import { CommandError, type Io, type JsonOption, print } from './process/io.ts'

/** Asks whether the gateway of this container answers, for `HEALTHCHECK`. */
export async function healthcheck(io: Io, options: JsonOption): Promise<void> {
  const place = placeOfCallers(io.env, '/livez')
  const answer = await askGateway(place)
  if (answer === null) throw new CommandError(`${place.url} does not answer`)
  if (answer.status !== 200) throw new CommandError(`${place.url} answers ${answer.status}`)
  print(io, options, { ok: true }, 'ok')
}
