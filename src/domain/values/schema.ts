import { type TSchema, Type } from 'typebox'

/** `X` or null, as JSON Schema 2020-12 says it. */
export function Nullable<X extends TSchema>(schema: X) {
  return Type.Union([schema, Type.Null()])
}

/** Bound of what is passed on to the vendor as it is: no body can hold more. */
export const anyLength = 64 * 1024

/**
 * Text of the vendor. No bound: its contract gives none, a whole answer is bounded by the client, and a serializer that finds
 * `Nullable(String({ maxLength }))` exceeded turns a call that was done into a 500.
 */
export function VendorText(description?: string, example?: string) {
  return Type.String({
    ...(description !== undefined && { description }),
    ...(example !== undefined && { examples: [example] })
  })
}

/** ISO 8601 in UTC with milliseconds, as the vendor writes it. No `format`: the vendor's answers pass as they are. */
export function Timestamp(description?: string) {
  return Type.String({
    examples: ['2026-11-20T09:30:00.000Z'],
    ...(description !== undefined && { description })
  })
}
