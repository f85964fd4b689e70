interface Operation {
  operationId?: string
  parameters?: { in: string; example?: unknown; schema?: Schema }[]
  security?: unknown[]
  requestBody?: { required?: boolean; content?: Content }
  responses?: Record<string, { headers?: Record<string, object>; content?: Content }>
}
type Content = Record<string, { schema?: Schema }>

/** The fields of answers that no route declares. */
export const headers = {
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
  'Retry-After': {
    description: 'Seconds to wait',
    schema: { type: 'integer', minimum: 1, maximum: 86_400, format: 'int32' }
  },
  'Access-Control-Allow-Origin': {
    description: "The page's origin, if the operator has listed it (`LIVEGATE_CORS_ORIGINS`); else it is left out",
    schema: { type: 'string', maxLength: 2048 }
  }
} as const

const headersOf = (...names: (keyof typeof headers)[]) =>
  Object.fromEntries(names.map(name => [name, { $ref: `#/components/headers/${name}` }]))

const places = ['path', 'query', 'header']

/** Adds to a document what holds of all operations, and no route declares: fields of answers, and bounds of text and numbers. */
export function complete<Document extends { paths?: object; components?: { schemas?: object } }>(
  document: Document
): Document {
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(path as Record<string, Operation>)) completeOperation(operation)
  }
  for (const schema of Object.values(document.components?.schemas ?? {})) addBounds(schema)
  return document
}

function completeOperation({ operationId, parameters = [], security, requestBody, responses = {} }: Operation): void {
  // A reader meets the meeting first, and what may be left out behind it.
  parameters.sort((one, other) => places.indexOf(one.in) - places.indexOf(other.in))
  for (const parameter of parameters) {
    // Swagger UI would fill them in and send them: a made-up id, a filter that nobody asked for.
    delete parameter.example
    delete parameter.schema?.example
    delete parameter.schema?.examples
    addBounds(parameter.schema)
  }
  const open = security?.length === 0
  for (const [status, response] of Object.entries(responses)) {
    response.headers = {
      ...headersOf('X-Request-Id', 'Access-Control-Allow-Origin'),
      ...(!open && headersOf('RateLimit', 'RateLimit-Policy')),
      ...(operationId === 'startLivestream' && status < '300' && headersOf('Livegate-Run')),
      ...(['429', '503', '409'].includes(status) && headersOf('Retry-After'))
    }
    for (const { schema } of Object.values(response.content ?? {})) addBounds(schema)
  }
  const schema = requestBody?.content?.['application/json']?.schema
  if (requestBody !== undefined && !schema?.required?.length) requestBody.required = false
  addBounds(schema)
}

/** No text of an answer is longer: the vendor's answers are read up to this many bytes (`src/upstream/transport/client.ts`). */
const longestText = 1024 * 1024
const largestInt32 = 2 ** 31 - 1

interface Schema {
  type?: unknown
  enum?: unknown
  const?: unknown
  maxLength?: number
  minimum?: number
  maximum?: number
  format?: string
  items?: Schema
  anyOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  example?: unknown
  examples?: unknown
}

/**
 * States for readers and generators which bounds text and whole numbers have where a schema gives none. In the document alone: a serializer
 * that finds `Nullable(String({ maxLength }))` exceeded turns a call that was done into a 500.
 */
function addBounds(schema: Schema | undefined): void {
  if (schema === undefined) return
  const isFixed = schema.enum !== undefined || schema.const !== undefined
  if (schema.type === 'string' && !isFixed) schema.maxLength ??= longestText
  if (schema.type === 'integer') {
    // JSON has no whole numbers beyond these that every reader gets right.
    schema.minimum ??= Number.MIN_SAFE_INTEGER
    schema.maximum ??= Number.MAX_SAFE_INTEGER
    schema.format ??= schema.minimum >= -largestInt32 && schema.maximum <= largestInt32 ? 'int32' : 'int64'
  }
  addBounds(schema.items)
  for (const inside of [...(schema.anyOf ?? []), ...Object.values(schema.properties ?? {})]) addBounds(inside)
}
