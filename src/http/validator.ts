import type { FastifyInstance } from 'fastify'
import { type TSchema, Type } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { Value } from 'typebox/value'
import { InvalidInput, UnsupportedMediaType } from '../domain/failures.ts'

/**
 * One validator for all input. Params and query arrive as text and are converted; a body says what it means and is taken as
 * it is, so `"7"` is not 7 and a misspelt field is not lost. (Fastify's own would convert, trim and drop.)
 */
export function validator(app: FastifyInstance): void {
  // Many routes have the same, above all those of the second mount.
  const compiled = new Map<TSchema, Validator>()
  app.setValidatorCompiler<TSchema>(({ schema, httpPart }) => {
    // Header fields are described, and read by those who need them.
    if (httpPart === 'headers') return () => true
    const check = compiled.get(schema) ?? Compile(schema)
    compiled.set(schema, check)
    const isText = httpPart === 'body' || hasOnlyText(schema)
    return (input: unknown) => {
      const value = isText ? (input ?? {}) : Value.Convert(schema, Value.Default(schema, input))
      return check.Check(value) ? { value } : { error: check.Errors(value) as unknown as Error }
    }
  })

  // The vendor's own examples send `Content-Type: application/json` with nothing behind it.
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') return done(null, {})
    // Fastify says null for "no body" too; as a body it is none of an operation's fields.
    if ((body as string).trim() === 'null')
      return done(new InvalidInput({ details: [{ field: 'body', message: 'must be an object' }] }))
    return parse(request, body as string, done)
  })
  // `curl -d ''` names a type for nothing; a body of another type than JSON stays a 415.
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    if (body === '') done(null, {})
    else done(new UnsupportedMediaType())
  })
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
