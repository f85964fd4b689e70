import { hash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * A large answer that never changes, made once: to serialise it anew for each call would hold up everybody else. With validators, so that
 * a browser asks for it and does not fetch it again (RFC 9110, sections 8.8.3 and 13.1.2).
 */
export class Prepared {
  readonly #type: string
  readonly #plain: Buffer
  readonly #gzip: Buffer
  readonly #digest: string

  constructor(text: string, type: string) {
    this.#type = type
    this.#plain = Buffer.from(text)
    this.#gzip = gzipSync(this.#plain)
    this.#digest = hash('sha256', text, 'base64url').slice(0, 22)
  }

  send({ headers }: Pick<FastifyRequest, 'headers'>, reply: FastifyReply): FastifyReply {
    const zipped = acceptsGzip(headers['accept-encoding'])
    const etag = zipped ? `"${this.#digest}-gzip"` : `"${this.#digest}"`
    reply.headers({ etag, 'cache-control': 'no-cache', vary: 'Accept-Encoding' })
    const known = (headers['if-none-match'] ?? '').split(',').map(tag => tag.trim().replace(/^W\//, ''))
    if (known.includes(etag) || known.includes('*')) return reply.code(304).send()
    if (zipped) reply.header('content-encoding', 'gzip')
    return reply.type(this.#type).send(zipped ? this.#gzip : this.#plain)
  }
}

function acceptsGzip(accepted: string | string[] = ''): boolean {
  return /(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)/i.test(String(accepted))
}
