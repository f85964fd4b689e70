import { readFileSync } from 'node:fs'
import t from 'tap'
import { openapi } from '../../../src/commands/openapi.ts'
import { Livestream } from '../../../src/domain/livestream.ts'
import { gateway } from '../../support/gateway.ts'

const committed = readFileSync(new URL('../../../openapi/livegate.json', import.meta.url), 'utf8')

interface Media {
  schema?: unknown
  example?: unknown
  examples?: Record<string, { value: { error: { code: number; type: string; request_id: string } } }>
}
interface Operation {
  operationId: string
  summary?: string
  description?: string
  tags?: string[]
  security?: object[]
  parameters?: { name: string; description?: string; schema: object }[]
  requestBody?: { required?: boolean; content: Record<string, Media> }
  responses: Record<string, { description: string; headers?: Record<string, unknown>; content?: Record<string, Media> }>
}
const document = JSON.parse(committed) as { openapi: string; paths: Record<string, Record<string, Operation>> }
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation }))
)
const guarded = operations.filter(({ path }) => /^\/(v2|gateway)\//.test(path))

t.test('the committed document is what the routes say: `npm run openapi` brings it up to date', async t => {
  let printed = ''
  const out = (text: string): void => {
    printed += `${text}\n`
  }
  await openapi({ out })
  t.equal(printed === committed, true, 'openapi/livegate.json')
  const { app, as } = await gateway(t)
  t.strictSame(JSON.parse(JSON.stringify(app.swagger())), document, 'a running gateway says the same')
  t.strictSame((await as(null)('GET', '/openapi.json')).json(), document, 'and serves it')
})

t.test('each operation has one name, one summary and a place', async t => {
  t.equal(document.openapi, '3.1.0')
  const names = operations.map(({ operationId }) => operationId)
  t.equal(new Set(names).size, names.length)
  for (const { operationId, summary, tags } of operations) {
    t.match(operationId, /^[a-z][A-Za-z]+$/)
    t.ok(summary, operationId)
    t.equal(tags?.length, 1, operationId)
  }
})

t.test(
  'each operation behind a key tells of a bad key, a limit and a mistake of the gateway, with examples',
  async t => {
    t.ok(guarded.length >= 11)
    for (const { operationId, description, security, responses } of guarded) {
      t.match(
        description,
        /Needs the scope `[a-z-]+:[a-z]+`; (counts as a (read|write)|no limit holds it back)\./,
        operationId
      )
      t.equal(security, undefined, `${operationId} is behind a key as everything is`)
      for (const status of ['400', '401', '403', '429', '500', '503']) {
        const examples = responses[status]?.content?.['application/json']?.examples ?? {}
        t.ok(Object.keys(examples).length > 0, `${operationId} ${status}`)
        for (const [type, { value }] of Object.entries(examples)) {
          t.match(value, { success: false, error: { code: Number(status), type, request_id: String } })
        }
      }
      for (const [status, { headers = {} }] of Object.entries(responses)) {
        t.ok(headers.RateLimit && headers['RateLimit-Policy'] && headers['X-Request-Id'], `${operationId} ${status}`)
        t.ok(headers['Access-Control-Allow-Origin'], `${operationId} ${status}`)
      }
      t.ok(responses['429']?.headers?.['Retry-After'], operationId)
    }
  }
)

t.test('each path with an id tells of the 404, each mutation of what a body can be refused for', async t => {
  for (const { operationId, path, method, parameters = [], requestBody, responses } of guarded) {
    for (const [, name] of path.matchAll(/\{(\w+)\}/g)) {
      const parameter = parameters.find(parameter => parameter.name === name)
      t.match(parameter, { description: String, schema: { pattern: String, maxLength: Number } }, operationId)
      t.ok(responses['404'], `${operationId}: ${name}`)
    }
    if (method === 'get') continue
    // Operations of Livegate's own ask no vendor.
    const asksVendor = path.startsWith('/v2/')
    for (const status of ['502', '504']) t.equal(status in responses, asksVendor, `${operationId} ${status}`)
    // A stop takes no body at all, so that nothing can be wrong with one.
    const isStop = operationId === 'stopLivestream'
    for (const status of ['413', '415']) t.equal(status in responses, !isStop, `${operationId} ${status}`)
    // A webhook needs an address, a run its seconds and a new participant an id; the others take an empty body.
    const isBare = isStop || ['removeWebhook', 'testWebhook', 'removeParticipant'].includes(operationId)
    const isNeeded = ['setWebhook', 'updateRun', 'addParticipant'].includes(operationId)
    t.equal(requestBody?.required, isBare ? undefined : isNeeded, `${operationId}: its body`)
  }
})

t.test('health is open', async t => {
  const open = operations.filter(operation => !guarded.includes(operation))
  t.strictSame(
    open.map(({ operationId, security }) => [operationId, security]),
    [
      ['livez', []],
      ['readyz', []]
    ]
  )
})

/** Each schema of text or a whole number, wherever it stands. */
function limitedIn(value: unknown): Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return []
  const node = value as Record<string, unknown>
  const inside = Object.entries(node).flatMap(([name, one]) => (/^examples?$/.test(name) ? [] : limitedIn(one)))
  return node.type === 'string' || node.type === 'integer' ? [node, ...inside] : inside
}

t.test(
  'text and whole numbers have bounds in the document, and an answer of the vendor is not held to them',
  async t => {
    const limited = limitedIn(document)
    t.ok(limited.length > 400)
    for (const { type, ...bounds } of limited) {
      const names = type === 'integer' ? ['minimum', 'maximum', 'format'] : ['maxLength', 'enum', 'const']
      const has = names.filter(name => name in bounds)
      t.ok(type === 'integer' ? has.length === 3 : has.length > 0, JSON.stringify({ type, ...bounds }))
    }
    const { app } = await gateway(t)
    app.swagger()
    t.same(Livestream.properties.name.anyOf[0], { type: 'string', examples: ['friday-show'] })
  }
)
