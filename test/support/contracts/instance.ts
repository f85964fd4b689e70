type Json = Record<string, unknown>

const uuid = '7f0d3c52-1a54-4f5e-9c0e-3b6a5d6b7a01'

/** A value that fits the schema, with all that it names. */
export function instanceOf(schema: Json, name = ''): unknown {
  const { anyOf, allOf, enum: allowed, type, properties, items, format } = schema
  if (Array.isArray(anyOf)) return instanceOf(anyOf[0] as Json, name)
  if (Array.isArray(allowed)) return allowed[0]
  if (Array.isArray(allOf)) {
    const parts = [...allOf, ...(properties === undefined ? [] : [{ type: 'object', properties }])]
    return parts.map(one => instanceOf(one as Json, name)).reduce(merged, {})
  }
  if (type === 'object' || properties !== undefined) {
    const fields = Object.entries((properties ?? {}) as Record<string, Json>)
    return Object.fromEntries(fields.map(([field, one]) => [field, instanceOf(one, field)]))
  }
  if (type === 'array') return Object.keys(items ?? {}).length === 0 ? [] : [instanceOf(items as Json, name)]
  if (type === 'integer' || type === 'number') return 1
  if (type === 'boolean') return name === 'success'
  if (format === 'date-time') return '2023-07-15T11:48:34.753Z'
  if (format === 'uri') return 'https://playback.example/x.m3u8'
  // Two schemas have figures in quotes.
  if (/_seconds$/.test(name)) return '60'
  if (format === 'uuid' || /(^|_)id$/.test(name)) return uuid
  return 'true'
}

/** Merges two schemas: fields of both, and of both in what both have. */
function merged(one: unknown, other: unknown): unknown {
  if (!isObject(one) || !isObject(other)) return other
  const fields = Object.entries(other).map(([name, value]) => [name, merged(one[name], value)])
  return { ...one, ...Object.fromEntries(fields) }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
