import swagger from '@fastify/swagger'
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import manifest from '../../../package.json' with { type: 'json' }
import type { RouteRule } from '../request/request.ts'
import { docsPage, jsonDocument, type Prefill, sendOnce } from './docs-page.ts'
import { complete, headers } from './document.ts'

/** Access to the documentation: for nobody, for everybody, or with a key (the browser asks for tenant and key). */
export type DocsAccess = 'off' | 'public' | 'key'

export interface OpenApiOptions {
  docs: DocsAccess
  /** Values that the page fills in (the demo). */
  prefill?: Prefill | undefined
  /** Throws unless the request carries a valid key. */
  requireKey(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** Counts a call without a key. @throws RateLimited */
  countAddress(request: FastifyRequest, reply: FastifyReply): Promise<void>
}

const description = `Livegate starts, shows and stops livestreams with the organisation's own credentials at the livestream provider (Dyte v2 or Cloudflare RealtimeKit), which never leave the server. Each tenant has its own keys, meetings and limits.

**Authorize** with a tenant's key: as Bearer token, or as Basic with the tenant as user and the key as password. Paths, fields and the \`{success, data}\` envelope are the provider's, so existing code changes its base address and its token, nothing else. Somebody else's meeting or livestream answers exactly like one that does not exist.

What stands here under \`/v2/…\` answers the same under \`/client/v4/accounts/{account_id}/realtime/kit/{app_id}/…\`, as at Cloudflare RealtimeKit. Any ids of letters, digits, - and _ do there: the key decides. One slash at the end of a path is left out, and a UUID may be written in any case; nothing else is corrected.`

/** Grouped by what people do, the most frequent first; within a group the operations stand in the order of their registration. */
const tags = [
  { name: 'broadcast', description: "Start a meeting's livestream, see whether it is live, stop it" },
  { name: 'livestreams', description: 'Look livestreams and their runs up' },
  { name: 'encoders', description: 'Livestreams without a meeting: create, switch on and off, change the stream key' },
  { name: 'meetings', description: 'The meetings that are livestreamed' },
  { name: 'participants', description: 'Who may join a meeting' },
  { name: 'stage', description: 'Who is in a meeting now. What REST does not have of it, client SDKs do' },
  { name: 'analytics', description: "Figures of the tenant's own livestreams" },
  { name: 'gateway', description: "Livegate's own: what the provider does not have" },
  { name: 'health', description: 'For orchestrators; no key needed' }
]

/** Relative to `/openapi.json`: behind a proxy nobody here knows the whole of an address. */
const thisGateway = {
  url: '.',
  description: 'The gateway that serves this document, whether its operator calls it local, staging or production',
  // For the programs of the organisation that runs it, and not for the public.
  'x-internal': true
}

/** Collects the routes that are registered after it into one document, served with Swagger UI unless switched off. */
export async function openapi(app: FastifyInstance, options: OpenApiOptions): Promise<void> {
  const { docs, prefill, requireKey, countAddress } = options
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
      const completed = complete('openapiObject' in document ? document.openapiObject : {})
      return { ...completed, servers: [thisGateway] }
    }
  })
  if (docs === 'off') return

  await app.register(async scope => {
    scope.addHook('onRequest', docs === 'key' ? requireKey : countAddress)
    scope.get(
      '/openapi.json',
      { schema: { hide: true } },
      sendOnce(() => jsonDocument(app.swagger()))
    )
    await docsPage(scope, thisGateway, prefill)
  })
}

/** Says which scope a route needs, and that a body of optional fields may be left out. */
function documented(schema: FastifySchema | undefined, rule: RouteRule | undefined): FastifySchema {
  if (schema === undefined || rule === undefined) return { ...schema }
  const counts = rule.limit === 'never' ? 'no limit holds it back' : `counts as a ${rule.limit}`
  const words = [schema.description, `Needs the scope \`${rule.scope}\`; ${counts}.`]
  return { ...schema, description: words.filter(Boolean).join(' ') }
}
