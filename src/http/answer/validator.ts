import type { FastifyInstance } from 'fastify'
import { type TSchema, Type } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { Value } from 'typebox/value'

/** Many routes have the same, above all those of the second mount. */
const compiled = new WeakMap<TSchema, Validator>()

/**
 * One validator for all input. Params and query arrive as text, of which numbers, booleans and lists are read; a body says what it means and is
 * taken as it is, so `"7"` is not 7 and a misspelt field is not lost. (Fastify's own would convert, trim and drop.)
 */
export function validator(app: FastifyInstance): void {
  app.setValidatorCompiler<TSchema>(({ schema, httpPart }) => {
    // Header fields are described, and read by those who need them.
    if (httpPart === 'headers') return () => true
    const isText = httpPart === 'body' || hasOnlyText(schema)
    let check: Validator | undefined
    return (input: unknown) => {
      check ??= checkOf(schema)
      const value = isText ? (input ?? {}) : Value.Default(schema, converted(schema, input))
      return check.Check(value) ? { value } : { error: check.Errors(value) as unknown as Error }
    }
  })
}

/** Compiled with the first input: for all operations together it takes a fifth of a start. */
function checkOf(schema: TSchema): Validator {
  const check = compiled.get(schema) ?? Compile(schema)
  compiled.set(schema, check)
  return check
}

/**
 * Numbers and booleans as they are written in JSON, and a field that may be repeated as a list of one; whatever else stands there stays
 * text, and is refused.
 */
function converted(schema: TSchema, input: unknown): unknown {
  if (!Type.IsObject(schema) || typeof input !== 'object' || input === null) return input
  const { properties } = schema
  return Object.fromEntries(
    Object.entries(input).map(([name, value]) => {
      const field = Object.hasOwn(properties, name) ? properties[name] : undefined
      if (field === undefined || typeof value !== 'string') return [name, value]
      if (Type.IsInteger(field) && /^(?:0|-?[1-9]\d{0,14})$/.test(value)) return [name, Number(value)]
      if (Type.IsBoolean(field) && /^(?:true|false)$/.test(value)) return [name, value === 'true']
      if (Type.IsArray(field)) return [name, [value]]
      return [name, value]
    })
  )
}

/** Then there is nothing to convert, and nothing to add. */
function hasOnlyText(schema: TSchema): boolean {
  if (!Type.IsObject(schema)) return false
  return Object.values(schema.properties).every(field => Type.IsString(field) && !('default' in field))
}

const noQuery = Type.Object({}, { additionalProperties: false })

/** Refuses what a route doesn't know, in the query too: never accepted and ignored. */
export function refuseUnknown(app: FastifyInstance): void {
  app.addHook('onRoute', route => {
    route.schema = { querystring: noQuery, ...route.schema }
  })
}
