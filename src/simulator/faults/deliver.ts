import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import type { SimulatedAnswer } from '../answers.ts'
import type { Fault } from './faults.ts'

/** The caller's end of one request. */
export interface Line {
  response: ServerResponse
  /** Aborted when the simulator closes. */
  closing: AbortSignal
  /** Told the status before its first byte leaves, so that the journal is never behind the caller. */
  onStatus: (status: number) => void
}

/**
 * Sends the answer the way the fault wants it: at once, slowly, by half, or not at all.
 * Rejects when the caller leaves or the simulator closes meanwhile.
 */
export async function deliver(
  answer: SimulatedAnswer,
  fault: Fault,
  { response, closing, onStatus }: Line
): Promise<void> {
  if (fault.stall || response.destroyed) return
  if (fault.hangUp) {
    response.destroy()
    return
  }
  const body = Buffer.from(typeof answer.body === 'object' ? JSON.stringify(answer.body) : (answer.body ?? ''))
  const send = (length: number): void => {
    const type = length > 0 && { 'content-type': 'application/json; charset=utf-8' }
    onStatus(answer.status)
    response.writeHead(answer.status, { 'content-length': length, ...type, ...answer.headers })
  }
  if (fault.huge !== undefined) {
    const filler = Math.max(0, fault.huge - opening.length - ending.length)
    send(opening.length + filler + ending.length)
    await pipeline(Readable.from(hugeBody(filler)), response)
  } else if (fault.stallBody) {
    // One byte is promised even where there is no body, or there would be nothing left to wait for.
    send(Math.max(1, body.length))
    response.flushHeaders()
    response.write(body.subarray(0, Math.floor(body.length / 2)))
  } else if (fault.drip) {
    send(body.length)
    await drip(body, fault.drip.bytesPerSecond, response, closing)
  } else {
    send(body.length)
    response.end(body)
  }
}

const opening = '{"success":true,"data":{"filler":"'
const ending = '"}}'

/** Made as it is read: a test may ask for more than memory holds. */
function* hugeBody(filler: number): Generator<string> {
  yield opening
  const chunk = 'x'.repeat(65_536)
  for (let left = filler; left > 0; left -= chunk.length) yield chunk.slice(0, left)
  yield ending
}

/** Up to a hundred chunks a second, fewer only when that would be less than a byte each. */
async function drip(
  body: Buffer,
  bytesPerSecond: number,
  response: ServerResponse,
  signal: AbortSignal
): Promise<void> {
  const size = Math.ceil(bytesPerSecond / 100)
  for (let sent = 0; sent < body.length && !response.destroyed; sent += size) {
    if (sent > 0) await pause((size / bytesPerSecond) * 1_000, undefined, { signal })
    response.write(body.subarray(sent, sent + size))
  }
  response.end()
}
