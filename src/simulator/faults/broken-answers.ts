import { randomUUID } from 'node:crypto'
import type { SimulatedAnswer } from '../answers.ts'
import type { Dialect } from '../dialects/dialect.ts'
import { isObject } from '../rules.ts'
import type { Distortion, Fault } from './faults.ts'

/** The answer that stands instead of the real one; undefined when the fault only changes, delays or slows the real one. */
export function substitute(fault: Fault, dialect: Dialect): SimulatedAnswer | undefined {
  const { status, body, retryAfterSeconds, redirect, garbage, huge } = fault
  if (retryAfterSeconds !== undefined) {
    const { status: usual, ...answer } = dialect.tooMany(retryAfterSeconds)
    return { status: status ?? usual, ...answer, ...(body !== undefined && { body }) }
  }
  if (redirect !== undefined) return { status: status ?? 302, headers: { location: redirect } }
  if (garbage) return { status: status ?? 200, body: '<html>this is not what was asked for' }
  if (huge !== undefined) return { status: status ?? 200 }
  if (status === undefined && body === undefined) return undefined
  return { status: status ?? 200, ...(body !== undefined && { body }) }
}

/** Whether the request goes unanswered or gets something else: then no work is done, unless `afterWork`. */
export function replacesWork(fault: Fault, dialect: Dialect): boolean {
  const isSilent = fault.hangUp === true || fault.stall === true
  return !fault.afterWork && (isSilent || substitute(fault, dialect) !== undefined)
}

/** The answer in its broken form: another one, or the real one with some of it changed. */
export function broken(real: SimulatedAnswer | undefined, fault: Fault, dialect: Dialect): SimulatedAnswer {
  const answer = substitute(fault, dialect) ?? real ?? { status: 200 }
  const headers = { ...answer.headers, ...fault.headers }
  const { body } = answer
  return fault.mutate && isObject(body)
    ? { ...answer, headers, body: distorted(body, fault.mutate) }
    : { ...answer, headers }
}

/** Makes an answer well-formed and wrong. One that does not carry the field in question stays as it is. */
function distorted(body: Record<string, unknown>, distortion: Distortion): object {
  const { data } = body
  switch (distortion) {
    case 'wrong_shape':
      // Cloudflare's envelope, which neither Dyte nor RealtimeKit uses for these operations (contract#envelope).
      return { success: true, errors: [], messages: [], result: data }
    case 'null_data':
      return { ...body, data: null }
    case 'list_data':
      return { ...body, data: [data] }
    case 'other_meeting':
      // A start's answer names no meeting by itself: then it gets one.
      return {
        ...body,
        data: withValue(isObject(data) ? { meeting_id: '', ...data } : data, ['meeting_id', 'associated_id'])
      }
    case 'other_id':
      return { ...body, data: withValue(data, ['id']) }
    case 'unknown_status':
      return { ...body, data: withValue(data, ['status'], 'PAUSED') }
  }
}

/** The same value with other contents wherever one of the names stands, at any depth. */
function withValue(value: unknown, names: string[], instead: string = randomUUID()): unknown {
  if (Array.isArray(value)) return value.map(item => withValue(item, names, instead))
  if (!isObject(value)) return value
  const changed = ([name, inner]: [string, unknown]): [string, unknown] =>
    names.includes(name) ? [name, instead] : [name, withValue(inner, names, instead)]
  return Object.fromEntries(Object.entries(value).map(changed))
}
