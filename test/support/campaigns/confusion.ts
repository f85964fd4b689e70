import { randomUUID } from 'node:crypto'
import type { Fault } from '../../../src/simulator/simulator.ts'
import type { Dice } from './dice.ts'

/** The questions to the confused vendor. */
export type Asked = 'start' | 'stop' | 'look' | 'other'

const own = (code: number) => ({ success: false, error: { code, message: 'The vendor does not know what it says' } })
const edge = (code: number) => ({ success: false, errors: [{ code, message: 'no' }], messages: [], result: null })
const livestream = (status: unknown, more: object = {}) => ({
  success: true,
  data: { id: randomUUID(), status, stream_key: 'k', playback_url: 'https://playback.example/x', ...more }
})

/** A body of any shape: empty, no JSON, JSON of another kind, and what looks like an answer to some question. */
function anyBody(dice: Dice, foreign: string): string | object {
  return dice.pick<string | object>([
    '',
    '<html>busy</html>',
    'null',
    '[]',
    '"LIVE"',
    '{"success":true',
    'x'.repeat(70_000),
    {},
    { success: true },
    { success: true, data: null },
    { success: true, data: {} },
    { success: true, data: [] },
    { success: true, data: { message: 'Stopped live stream successfully' } },
    { success: true, data: { id: 7, status: ['LIVE'] } },
    { success: true, data: { livestream: { id: randomUUID(), status: 'IDLE' }, sessions: 'none' } },
    livestream('LIVE'),
    livestream('INVOKED', { meeting_id: randomUUID() }),
    livestream('IDLE'),
    livestream('PAUSED', { ingest_seconds: 1e308 }),
    livestream('LIVE', { id: foreign }),
    livestream('LIVE', { id: '../meetings' }),
    own(dice.between(200, 599)),
    { success: false, message: '[body] "name" is not allowed' },
    { message: 'Unauthorized' },
    edge(10_000),
    edge(7_003),
    edge(971)
  ])
}

/** Any answer at all, at any time, whether or not the work is done. `foreign` is a livestream of somebody else. */
export function confusion(dice: Dice, asked: Asked, foreign: string, deadlineMs: number): Fault {
  const wait = dice.pick([0, 0, dice.between(5, 300), dice.between(deadlineMs + 50, deadlineMs + 1_200)])
  const timing = { delayMs: wait, afterWork: dice.chance(0.5) }
  if (dice.chance(0.15)) return { delayMs: wait }
  if (dice.chance(0.1)) return { ...timing, hangUp: true }
  if (dice.chance(0.05)) return { afterWork: timing.afterWork, stall: true }
  if (dice.chance(0.05)) return { afterWork: timing.afterWork, stallBody: true }
  if (dice.chance(0.1)) return { ...timing, retryAfterSeconds: dice.between(0, 3) }
  if (dice.chance(0.05)) return { redirect: 'https://elsewhere.example/' }
  const status = dice.chance(0.3) ? dice.pick([200, 201, 202, 204]) : dice.between(200, 599)
  const fault = { ...timing, status, body: anyBody(dice, foreign) }
  return isLie(asked, fault) ? { ...timing, status: 500 } : fault
}

/**
 * A lie is that nothing is live, or that a stop was carried out, in the very words of the contract while it is not so. A gateway
 * that believes no such word can never end a stop. All else may be said.
 */
function isLie(
  asked: Asked,
  { status, body, afterWork }: Required<Pick<Fault, 'status' | 'body' | 'afterWork'>>
): boolean {
  if (asked === 'start') return false
  const isOwnWord = typeof body === 'object' && !('errors' in body)
  if (status === 404) return isOwnWord && !(asked === 'stop' && afterWork)
  if (asked === 'stop') return status < 300 && !afterWork
  return status < 300 && isOwnWord && !('data' in body && isRunning(body.data))
}

function isRunning(data: unknown): boolean {
  return /"status":"(LIVE|INVOKED)"/.test(JSON.stringify(data) ?? '')
}
