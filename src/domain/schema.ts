import { type TSchema, Type } from 'typebox'

/** `X` or null, as JSON Schema 2020-12 says it. */
export function Nullable<X extends TSchema>(schema: X) {
  return Type.Union([schema, Type.Null()])
}

/** ISO 8601 in UTC with milliseconds, as the vendor writes it. No `format`: the vendor's answers pass as they are. */
export function Timestamp(description?: string) {
  return Type.String({
    maxLength: 40,
    examples: ['2026-11-20T09:30:00.000Z'],
    ...(description !== undefined && { description })
  })
}
