import { hash } from 'node:crypto'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import type { TSchema } from 'typebox'
import manifest from '../../../package.json' with { type: 'json' }
import type { RouteRule } from '../request/request.ts'
import { Prepared } from './prepared.ts'

/** Access to the documentation: for nobody, for everybody, or with a key (the browser asks for tenant and key). */
export type DocsAccess = 'off' | 'public' | 'key'

export interface OpenApiOptions {
  docs: DocsAccess
  /** Throws unless the request carries a valid key. */
  requireKey(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** Counts a call without a key. @throws RateLimited */
  countAddress(request: FastifyRequest, reply: FastifyReply): Promise<void>
}

const description = `Livegate starts, shows and stops livestreams with the organisation's own credentials at the livestream provider (Dyte v2 or Cloudflare RealtimeKit), which never leave the server. Each tenant has its own keys, meetings and limits.

**Authorize** with a tenant's key: as Bearer token, or as Basic with the tenant as user and the key as password. Paths, fields and the \`{success, data}\` envelope are the provider's, so existing code changes its base address and its token, nothing else. Somebody else's meeting or livestream answers exactly like one that does not exist.

What stands here under \`/v2/…\` answers the same under \`/client/v4/accounts/{account_id}/realtime/kit/{app_id}/…\`, as at Cloudflare RealtimeKit. Any ids of letters, digits, - and _ do there: the key decides. One slash at the end of a path is left out, and a UUID may be written in any case; nothing else is corrected.`

const tags = [
  { name: 'livestreams', description: 'Start, inspect and stop livestreams' },
  { name: 'meetings', description: 'The meetings that are livestreamed' },
  { name: 'stage', description: 'Who is in a meeting now. What REST does not have of it, client SDKs do' },
  { name: 'analytics', description: "Figures of the tenant's own livestreams" },
  { name: 'gateway', description: "Livegate's own: what the provider does not have" },
  { name: 'health', description: 'For orchestrators; no key needed' }
]

/** Relative to `/openapi.json`: behind a proxy nobody here knows the whole of an address. */
const thisGateway = { url: '.', description: 'This gateway' }

/** Collects the routes that are registered after it into one document, served with Swagger UI unless switched off. */
export async function openapi(app: FastifyInstance, options: OpenApiOptions): Promise<void> {
  const { docs, requireKey, countAddress } = options
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Livegate', version: manifest.version, description },
      tags,
      security: [{ bearer: [] }, { basic: [] }],
      components: {
        headers,
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'The key of a tenant: `lgk_…`' },
          basic: { type: 'http', scheme: 'basic', description: 'User: the tenant. Password: its key' }
        }
      }
    },
    refResolver: { buildLocalReference: json => String(json.$id) },
    transform: ({ schema, url, route }) => ({ url, schema: documented(schema, route.config?.rule) }),
    transformObject: document => {
      const operations = withHeaders('openapiObject' in document ? document.openapiObject : {})
      return { ...operations, servers: [thisGateway] }
    }
  })
  if (docs === 'off') return

  const documents = servedDocuments(app)
  await app.register(async scope => {
    scope.addHook('onRequest', docs === 'key' ? requireKey : countAddress)
    scope.get('/openapi.json', { schema: { hide: true } }, documents['/openapi.json'])
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      // A page at `/docs` finds its files below `./docs`, whatever a proxy has put before both.
      indexPrefix: '.',
      uiConfig: { deepLinking: true, tryItOutEnabled: true, displayRequestDuration: true },
      uiHooks: {
        preHandler: (request, reply, done) => {
          const { url = '' } = request.routeOptions
          const elsewhere = elsewhereThan(request.url)
          if (url in documents) documents[url as Served](request, reply)
          else if (elsewhere !== null) reply.redirect(elsewhere)
          else done()
        }
      },
      theme: { title: 'Livegate' },
      logo: { type: 'image/svg+xml', content: Buffer.from(logo), target: '_self' },
      staticCSP: false,
      transformStaticCSP: () => policy
    })
  })
}

/** The path of the document. */
type Served = '/openapi.json' | '/docs/json' | '/docs/yaml'

/** Each is made once, when it is first asked for: the routes of Swagger UI would serialise it for each call. */
function servedDocuments(app: FastifyInstance): Record<Served, Send> {
  const json = (document: object) => new Prepared(JSON.stringify(document), 'application/json; charset=utf-8')
  const fromDocs = { ...thisGateway, url: '..' }
  return {
    '/openapi.json': sendOnce(() => json(app.swagger())),
    '/docs/json': sendOnce(() => json({ ...app.swagger(), servers: [fromDocs] })),
    '/docs/yaml': sendOnce(() => {
      const text = app.swagger({ yaml: true }).replace(/^(servers:\n +- url: )\.$/m, `$1${fromDocs.url}`)
      return new Prepared(text, 'application/x-yaml')
    })
  }
}

type Send = (request: FastifyRequest, reply: FastifyReply) => FastifyReply

function sendOnce(make: () => Prepared): Send {
  let document: Prepared | undefined
  return (request, reply) => {
    document ??= make()
    return document.send(request, reply)
  }
}

/**
 * Another address of the page, relative to the one that was asked for; null when it is that one. The package knows no address with a query,
 * and leads to its own by an absolute one, which is wrong behind a proxy that takes a prefix away.
 */
function elsewhereThan(url: string): string | null {
  const [path, query] = url.split('?')
  if (path === '/docs/static/index.html') return '../'
  if (query === undefined) return null
  if (path === '/docs') return 'docs'
  return path === '/docs/' ? './' : null
}

const logo = `<svg xmlns="http://www.w3.org/2000/svg" width="150" height="40" viewBox="0 0 150 40"><path d="M6 8v24M14 14v12M22 8v24" stroke="#7ee0b5" stroke-width="4" stroke-linecap="round"/><text x="34" y="27" font-family="sans-serif" font-size="20" font-weight="600" fill="#fff">Livegate</text></svg>`

/** The logo of Swagger UI, which shows until ours takes its place. */
const logoStyle = '.logo_small_svg__cls-2{fill:#fff}.logo_small_svg__cls-3{fill:#85ea2d}'

/** Swagger UI's own files and this gateway, and nothing else; its one inline style by its digest. */
const policy = [
  "default-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "connect-src 'self'",
  "font-src 'self'",
  "img-src 'self' data:",
  "script-src 'self'",
  `style-src 'self' 'sha256-${hash('sha256', logoStyle, 'base64')}'`
].join('; ')

/** Says which scope a route needs, and that a body of optional fields may be left out. */
function documented(schema: FastifySchema | undefined, rule: RouteRule | undefined): FastifySchema {
  if (schema === undefined || rule === undefined) return { ...schema }
  const counts = rule.limit === 'never' ? 'no limit holds it back' : `counts as a ${rule.limit}`
  const words = [schema.description, `Needs the scope \`${rule.scope}\`; ${counts}.`]
  return { ...schema, description: words.filter(Boolean).join(' ') }
}

interface Operation {
  operationId?: string
  parameters?: { example?: unknown; schema?: { examples?: unknown; example?: unknown } }[]
  security?: unknown[]
  requestBody?: { required?: boolean; content?: Record<string, { schema?: TSchema & { required?: string[] } }> }
  responses?: Record<string, { headers?: Record<string, object> }>
}

/** The fields of answers that no route declares. */
const headers = {
  'X-Request-Id': {
    description: 'The id of this call, also in the audit log',
    schema: { type: 'string', maxLength: 64 }
  },
  RateLimit: { description: 'What is left: `"read";r=599;t=1`', schema: { type: 'string', maxLength: 128 } },
  'RateLimit-Policy': {
    description:
      'The limit: `"read";q=600;w=60`, 600 at once that refill in 60 s; or `"in_flight";q=1000;qu="concurrent-requests"`',
    schema: { type: 'string', maxLength: 128 }
  },
  'Livegate-Run': {
    description: 'The broadcast run, where Livegate knows it',
    schema: { type: 'string', maxLength: 36 }
  },
  'Retry-After': { description: 'Seconds to wait', schema: { type: 'integer', minimum: 1, maximum: 86_400 } }
} as const

const headersOf = (...names: (keyof typeof headers)[]) =>
  Object.fromEntries(names.map(name => [name, { $ref: `#/components/headers/${name}` }]))

/** The fields that hooks set on every answer, which no route declares. */
function withHeaders<Document extends { paths?: object }>(document: Document): Document {
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(path as Record<string, Operation>)) {
      // Swagger UI would fill them in and send them: a made-up id, a filter that nobody asked for.
      for (const parameter of operation.parameters ?? []) {
        delete parameter.example
        delete parameter.schema?.example
        delete parameter.schema?.examples
      }
      const open = operation.security?.length === 0
      for (const [status, response] of Object.entries(operation.responses ?? {})) {
        response.headers = {
          ...headersOf('X-Request-Id'),
          ...(!open && headersOf('RateLimit', 'RateLimit-Policy')),
          ...(operation.operationId === 'startLivestream' && status < '300' && headersOf('Livegate-Run')),
          ...(['429', '503', '409'].includes(status) && headersOf('Retry-After'))
        }
      }
      const body = operation.requestBody
      const schema = body?.content?.['application/json']?.schema
      if (body !== undefined && !schema?.required?.length) body.required = false
    }
  }
  return document
}
