import SerializerSelector from '@fastify/fast-json-stringify-compiler'

const compiled = new Map<string, SerializerSelector.Serializer>()

/**
 * Fastify's own serializers, each compiled once: the 450 answers of all routes share 30 schemas, since most are failures, and to
 * compile one for each answer would take half of the time of a start.
 */
export const compiledOnce: SerializerSelector.SerializerFactory = (schemas, options) => {
  const compile = SerializerSelector()(schemas, options)
  const beside = JSON.stringify([schemas, options])
  return route => {
    let serialize: SerializerSelector.Serializer | undefined
    return answer => {
      serialize ??= compiledFor(JSON.stringify(route.schema) + beside, () => compile(route))
      return serialize(answer)
    }
  }
}

function compiledFor(key: string, compile: () => SerializerSelector.Serializer): SerializerSelector.Serializer {
  const serialize = compiled.get(key) ?? compile()
  compiled.set(key, serialize)
  return serialize
}
