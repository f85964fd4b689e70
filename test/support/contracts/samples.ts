type Json = Record<string, unknown>

/** A field of a request, with values for it that its vendor's schema allows: its bounds, and what lies far out where it has none. */
export interface Sample {
  /** `recording_config.storage_config.port` */
  field: string
  value: unknown
}

/** Each value that a schema allows, one field at a time, with no more beside it than is required. */
export function samplesOf(schema: Json, field = ''): Sample[] {
  if (Array.isArray(schema.enum)) return schema.enum.map(value => ({ field, value }))
  for (const union of ['anyOf', 'oneOf']) {
    if (Array.isArray(schema[union])) return (schema[union] as Json[]).flatMap(one => samplesOf(one, field))
  }
  if (schema.properties !== undefined || schema.type === 'object') return objectsOf(schema, field)
  if (schema.type === 'array') {
    const items = samplesOf(schema.items as Json, `${field}[]`)
    return items.map(({ field, value }) => ({ field, value: [value] }))
  }
  return valuesOf(schema).map(value => ({ field, value }))
}

function objectsOf(schema: Json, field: string): Sample[] {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, Json>)
  const required = (schema.required ?? []) as string[]
  const needed = properties.filter(([name]) => required.includes(name))
  const least = Object.fromEntries(needed.map(([name, one]) => [name, samplesOf(one)[0]?.value]))
  return [
    { field, value: least },
    ...properties.flatMap(([name, one]) =>
      samplesOf(one, field === '' ? name : `${field}.${name}`).map(({ field, value }) => ({
        field,
        value: { ...least, [name]: value }
      }))
    )
  ]
}

function valuesOf({ type, format, minimum, maximum }: Json): unknown[] {
  switch (type) {
    case 'null':
      return [null]
    case 'boolean':
      return [true, false]
    case 'string':
      return format === 'uri' ? ['rtmp://a.example/live'] : ['a', '', 'with blanks', 'x'.repeat(20_000)]
    case 'integer':
      return [minimum ?? 0, minimum ?? -1, maximum ?? 1_000_000]
    case 'number':
      return [minimum ?? 0, minimum ?? -1, maximum ?? 1_000_000, ((minimum as number) ?? 0) + 0.5]
    default:
      return []
  }
}

/** Every field of a schema by its name, those of objects inside too. */
export function fieldsOf(schema: Json, field = ''): string[] {
  const inside = [schema.items, ...['anyOf', 'oneOf'].flatMap(union => (schema[union] ?? []) as unknown[])]
  const own = Object.entries((schema.properties ?? {}) as Record<string, Json>).flatMap(([name, one]) => {
    const here = field === '' ? name : `${field}.${name}`
    return [here, ...fieldsOf(one, here)]
  })
  const all = [...own, ...inside.filter(one => one !== undefined).flatMap(one => fieldsOf(one as Json, field))]
  return [...new Set(all)]
}
