import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Failure, InvalidInput, UnsupportedMediaType } from '../../domain/refusals/failures.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** JSON in UTF-8 (RFC 8259, section 8.1) and nothing else: what cannot be taken as it was sent is refused, not changed. */
export function jsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    // The vendor's own examples send `Content-Type: application/json` with nothing behind it.
    if (body.length === 0) return done(null, {})
    const refusal = refusedEncoding(request)
    if (refusal !== null) return done(refusal)
    const text = decode(body as Buffer)
    if (text === null) return done(invalid('is not valid UTF-8'))
    // Fastify says null for "no body" too; as a body it is none of an operation's fields.
    if (text.trim() === 'null') return done(invalid('must be an object'))
    return parse(request, text, done)
  })
  // `curl -d ''` names a type for nothing; a body of another type than JSON stays a 415.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    if (body.length === 0) done(null, {})
    else done(new UnsupportedMediaType())
  })
}

function refusedEncoding({ headers }: FastifyRequest): Failure | null {
  const coding = headers['content-encoding'] ?? 'identity'
  if (coding.trim().toLowerCase() !== 'identity')
    return new UnsupportedMediaType({ details: [{ field: 'headers.content-encoding', message: 'must be identity' }] })
  const [, charset = 'utf-8'] = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(headers['content-type'] ?? '') ?? []
  // ASCII is UTF-8 as well.
  if (!/^(?:utf-?8|us-ascii)$/i.test(charset))
    return new UnsupportedMediaType({ details: [{ field: 'headers.content-type', message: 'charset must be utf-8' }] })
  return null
}

function decode(bytes: Buffer): string | null {
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}

const invalid = (message: string): Failure => new InvalidInput({ details: [{ field: 'body', message }] })
