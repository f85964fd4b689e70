import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import type { TSchema } from 'typebox'
import manifest from '../../package.json' with { type: 'json' }
import { Prepared } from './prepared.ts'
import type { RouteRule } from './request.ts'

/** Who may see the documentation: nobody, everybody, or who shows a key (the browser asks for tenant and key). */
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

/** Collects the routes that are registered after it into one document, served with Swagger UI unless switched off. */
export async function openapi(app: FastifyInstance, options: OpenApiOptions): Promise<void> {
  const { docs, requireKey, countAddress } = options
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Livegate', version: manifest.version, description },
      servers: [{ url: '/', description: 'This gateway' }],
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
    transformObject: document => withHeaders('openapiObject' in document ? document.openapiObject : {})
  })
  if (docs === 'off') return

  let document: Prepared | undefined
  const sendDocument = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    document ??= new Prepared(JSON.stringify(app.swagger()), 'application/json; charset=utf-8')
    return document.send(request, reply)
  }
  await app.register(async scope => {
    scope.addHook('onRequest', docs === 'key' ? requireKey : countAddress)
    scope.get('/openapi.json', { schema: { hide: true } }, sendDocument)
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      uiConfig: { deepLinking: true, tryItOutEnabled: true, displayRequestDuration: true },
      uiHooks: {
        // Its own route would serialise the document each time.
        preHandler: (request, reply, done) => {
          if (request.routeOptions.url === '/docs/json') sendDocument(request, reply)
          else done()
        }
      },
      theme: { title: 'Livegate' },
      logo: { type: 'image/svg+xml', content: Buffer.from(logo), target: '_self' },
      staticCSP: false,
      transformStaticCSP: () => policyFor(scope.swaggerCSP)
    })
  })
}

const logo = `<svg xmlns="http://www.w3.org/2000/svg" width="150" height="40" viewBox="0 0 150 40"><path d="M6 8v24M14 14v12M22 8v24" stroke="#7ee0b5" stroke-width="4" stroke-linecap="round"/><text x="34" y="27" font-family="sans-serif" font-size="20" font-weight="600" fill="#fff">Livegate</text></svg>`

/** Swagger UI's own files and this gateway, and nothing else; its inline styles by their digests. */
function policyFor({ script, style }: { script: string[]; style: string[] }): string {
  return [
    "default-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "connect-src 'self'",
    "font-src 'self'",
    "img-src 'self' data:",
    `script-src ${["'self'", ...script].join(' ')}`,
    `style-src ${["'self'", ...style].join(' ')}`
  ].join('; ')
}

/** Says which scope a route needs, and that a body of optional fields may be left out. */
function documented(schema: FastifySchema | undefined, rule: RouteRule | undefined): FastifySchema {
  if (schema === undefined || rule === undefined) return { ...schema }
  const counts = rule.limit === 'never' ? 'no limit holds it back' : `counts as a ${rule.limit}`
  const words = [schema.description, `Needs the scope \`${rule.scope}\`; ${counts}.`]
  return { ...schema, description: words.filter(Boolean).join(' ') }
}

interface Operation {
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
