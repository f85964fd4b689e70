import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { shownRunEvent } from '../../domain/runs/shown-run.ts'
import type { Position } from '../../lifecycle/push/event-feed.ts'
import type { EventWire } from '../../lifecycle/push/event-streams.ts'

/** An event, as the wire's callers give it: one object for all readers. */
type Event = Parameters<EventWire['write']>[0][number]

export const streamFields = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // nginx and others that know it then pass on each event at once.
  'x-accel-buffering': 'no'
}

/** A client that was cut off comes back after so long. */
const retryMs = 2_000

/** The text of an event, made once for all its readers. */
const texts = new WeakMap<Event, Buffer>()

/**
 * A stream of server-sent events (the HTML standard of the WHATWG, under Server-sent events) over an answer whose head is yet to be written. Fastify's own way for streams
 * would hold two of them for each reader.
 */
export function eventWire(request: FastifyRequest, reply: FastifyReply): EventWire {
  const answer = reply.raw
  return {
    get unreadBytes() {
      return answer.writableLength
    },
    get isClosed() {
      return answer.closed || answer.destroyed
    },
    begin(position) {
      const fields = reply.headers(streamFields).getHeaders() as OutgoingHttpHeaders
      reply.hijack()
      answer.writeHead(200, fields)
      answer.write(beginningAt(position))
      request.recordNow(200)
    },
    write(events) {
      answer.write(
        events.length === 1 && events[0] !== undefined ? textOf(events[0]) : Buffer.concat(events.map(textOf))
      )
    },
    heartbeat(toldUpTo) {
      answer.write(toldUpTo === null ? ':\n\n' : `:\nid: ${toldUpTo}\n\n`)
    },
    end() {
      answer.end()
    },
    cut() {
      answer.destroy()
    },
    onTaken(callback) {
      // Node's `drain` comes after a full buffer alone, and fewer bytes than that may lie about here.
      answer.write('', () => callback())
    },
    onClose(callback) {
      answer.once('close', callback)
    }
  }
}

/** The id tells a client where it stands before the first event. A client that asked for more than there is must read the runs anew. */
function beginningAt({ seq, isComplete }: Position): string {
  const lost = isComplete ? '' : 'event: reset\ndata: {"type":"reset"}\n\n'
  return `retry: ${retryMs}\nid: ${seq}\n\n${lost}`
}

function textOf(event: Event): Buffer {
  const known = texts.get(event)
  if (known !== undefined) return known
  const shown = shownRunEvent(event)
  const text = Buffer.from(`event: ${shown.type}\nid: ${event.seq}\ndata: ${JSON.stringify(shown)}\n\n`)
  texts.set(event, text)
  return text
}
