import { type DestinationStream, type Logger, pino } from 'pino'
import { secretFields } from '../domain/livestream.ts'
import { currentTrace } from '../tracing/trace.ts'
import { inSourceLines } from './source-lines.ts'

/**
 * The operational log: one JSON line an event, on standard output. It is not the audit log. Credentials can't print themselves
 * (`domain/values/secret.ts`); what the vendor marks as secret is taken out here as well, should an object ever carry it this far.
 */
export function makeLogger(level: string, destination?: DestinationStream): Logger {
  const names = [...secretFields, 'authorization']
  const paths = names.flatMap(name => [name, `*.${name}`, `*.*.${name}`, `*.*.*.${name}`])
  const redact = { paths, censor: '[secret]' }
  const options = { level, redact, base: null, mixin: factsOfLine, serializers: { err: toldError } }
  return destination === undefined ? pino(options) : pino(options, destination)
}

/** Facts that each line has: its trace, and an event also where the HTTP server speaks by itself, which names none. */
function factsOfLine(facts: object): { trace_id?: string; event?: string } {
  const trace = currentTrace()
  return { ...(!('event' in facts) && { event: 'http_server' }), ...(trace !== null && { trace_id: trace.id }) }
}

/** An error as pino shows it, with its stack in lines of the sources. */
function toldError(error: Error): object {
  const told = pino.stdSerializers.err(error)
  if (typeof told.stack === 'string') told.stack = inSourceLines(told.stack)
  return told
}
