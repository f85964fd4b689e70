import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Prepared } from './prepared.ts'

/** Values that the page fills in by itself, so that a first start is one click. The demo has such values; a gateway in earnest never does. */
export interface Prefill {
  /** A tenant's key, which anybody who opens the page then uses. */
  key: string
  /** A meeting of that tenant. */
  meeting: string
}

/** Swagger UI at `/docs`, with its document as JSON and YAML below. */
export async function docsPage(scope: FastifyInstance, server: { url: string }, prefill?: Prefill): Promise<void> {
  const documents = servedDocuments(scope, server, prefill?.meeting)
  await scope.register(swaggerUi, {
    routePrefix: '/docs',
    // A page at `/docs` finds its files below `./docs`, whatever a proxy has put before both.
    indexPrefix: '.',
    uiConfig: {
      // Without the bar that loads documents of others.
      layout: 'BaseLayout',
      deepLinking: true,
      tryItOutEnabled: true,
      displayRequestDuration: true,
      // The one schema of the document is that of failures, which every operation shows.
      defaultModelsExpandDepth: -1
    },
    uiHooks: {
      preHandler: (request, reply, done) => {
        const { url = '' } = request.routeOptions
        const elsewhere = elsewhereThan(request.url)
        if (url in documents) documents[url as keyof typeof documents](request, reply)
        else if (elsewhere !== null) reply.redirect(elsewhere)
        else done()
      }
    },
    // Shown by the bar alone, which is gone. Without this the package reads one from a file, where no build has it.
    logo: { type: 'image/svg+xml', content: '' },
    theme: { title: 'Livegate', js: [{ filename: 'livegate.js', content: script(prefill) }] },
    staticCSP: false,
    transformStaticCSP: () => policy
  })
}

/** Each is made once, when it is first asked for: the routes of Swagger UI would serialise it for each call. */
function servedDocuments(app: FastifyInstance, server: { url: string }, meeting: string | undefined) {
  const fromDocs = { ...server, url: '..' }
  return {
    '/docs/json': sendOnce(() => {
      const document = { ...app.swagger(), servers: [fromDocs] }
      return jsonDocument(meeting === undefined ? document : withMeeting(document, meeting))
    }),
    '/docs/yaml': sendOnce(() => {
      const text = app.swagger({ yaml: true }).replace(/^(servers:\n +- url: )\.$/m, `$1${fromDocs.url}`)
      return new Prepared(text, 'application/x-yaml')
    })
  }
}

export function jsonDocument(document: object): Prepared {
  return new Prepared(JSON.stringify(document), 'application/json; charset=utf-8')
}

export function sendOnce(make: () => Prepared): (request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  let document: Prepared | undefined
  return (request, reply) => {
    document ??= make()
    return document.send(request, reply)
  }
}

/** A copy in which the meeting is the example of each parameter that asks for one: Swagger UI fills it in. */
function withMeeting(document: object, meeting: string): object {
  return JSON.parse(JSON.stringify(document), (_key, value) =>
    value?.in === 'path' && value.name === 'meeting_id' ? { ...value, example: meeting } : value
  )
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

/**
 * Runs in the browser, before Swagger UI is made. The curl line beside an answer would put the key into the page, where a screenshot or a
 * copied line carries it away: there a placeholder stands for it.
 */
const script = (prefill: Prefill | undefined): string => `
const prefill = ${JSON.stringify(prefill ?? null)}
const hideKey = () => ({
  wrapComponents: {
    curl: (Curl, { React }) => ({ request, ...props }) => {
      const headers = request.get('headers').map((value, name) => (/^authorization$/i.test(name) ? value.replace(/ .*/, ' <key>') : value))
      return React.createElement(Curl, { ...props, request: request.set('headers', headers) })
    }
  }
})
window.SwaggerUIBundle = new Proxy(window.SwaggerUIBundle, {
  apply(makeUi, self, [config]) {
    const ui = makeUi({
      ...config,
      plugins: [...config.plugins, hideKey],
      onComplete() {
        if (prefill === null) return
        ui.preauthorizeApiKey('bearer', prefill.key)
        if (location.hash === '') ui.layoutActions.show(['operations', 'broadcast', 'startLivestream'], true)
      }
    })
    return ui
  }
})
`

/** Swagger UI's own files and this gateway, and nothing else. */
const policy = [
  "default-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "connect-src 'self'",
  "font-src 'self'",
  "img-src 'self' data:",
  "script-src 'self'",
  "style-src 'self'"
].join('; ')
