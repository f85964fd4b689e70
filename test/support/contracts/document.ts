import { readFileSync } from 'node:fs'
import Schema from 'typebox/schema'

type Json = Record<string, unknown>

interface Parameter {
  name: string
  in: string
  required?: boolean
  schema: Json
}

export interface Operation {
  /** `METHOD /path` of the document, without account and app. */
  name: string
  method: string
  path: string
  parameters: Parameter[]
  body: Json | null
  /** Answers by status, where it is described. */
  answers: Map<number, { schema: Json | null; examples: unknown[] }>
}

const mount = '/accounts/{account_id}/realtime/kit/{app_id}'

/** A vendor's OpenAPI document, read as far as a call can be compared with it. */
export class ContractDocument {
  readonly operations: Operation[] = []
  readonly #document: Json

  constructor(file: string) {
    this.#document = JSON.parse(readFileSync(`test/contracts/${file}`, 'utf8'))
    for (const [path, item] of Object.entries(this.#document.paths as Record<string, Json>)) {
      const shared = (item.parameters ?? []) as Json[]
      for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
        const found = item[method] as Json | undefined
        if (found !== undefined) this.operations.push(this.#operation(method.toUpperCase(), path, found, shared))
      }
    }
  }

  /** Finds it by the path as it was called, relative to the base address, without its query. */
  find(method: string, path: string): Operation | undefined {
    const fits = (template: string): boolean => {
      const [parts, wanted] = [path.split('/'), template.split('/')]
      return parts.length === wanted.length && wanted.every((part, i) => part.startsWith('{') || part === parts[i])
    }
    const found = this.operations.filter(one => one.method === method && fits(one.path))
    // A path without a parameter in that place is the nearer one.
    return found.sort((a, b) => a.path.split('{').length - b.path.split('{').length)[0]
  }

  #operation(method: string, whole: string, found: Json, shared: Json[]): Operation {
    const path = whole.replace(mount, '')
    const described = [...shared, ...((found.parameters ?? []) as Json[])].map(one => this.#resolve(one))
    const body = found.requestBody === undefined ? null : this.#content(found.requestBody as Json).schema
    const answers = Object.entries(found.responses as Record<string, Json>).map(
      ([status, answer]) => [Number(status), this.#content(answer)] as const
    )
    const parameters = described as unknown as Parameter[]
    return { name: `${method} ${path}`, method, path, parameters, body, answers: new Map(answers) }
  }

  #content(part: Json): { schema: Json | null; examples: unknown[] } {
    const content = (this.#resolve(part).content as Record<string, Json> | undefined)?.['application/json'] ?? {}
    const examples = Object.values((content.examples ?? {}) as Record<string, Json>).map(
      one => this.#resolve(one).value
    )
    const schema = content.schema === undefined ? null : (this.#plain(content.schema) as Json)
    return { schema, examples: content.example === undefined ? examples : [...examples, content.example] }
  }

  /** Without references, and with `nullable` as JSON Schema says it. What contains itself may be anything there. */
  #plain(value: unknown, inside: string[] = []): unknown {
    if (Array.isArray(value)) return value.map(one => this.#plain(one, inside))
    if (typeof value !== 'object' || value === null) return value
    const reference = (value as Json).$ref
    if (typeof reference === 'string') {
      if (inside.includes(reference)) return {}
      return this.#plain(this.#resolve(value as Json), [...inside, reference])
    }
    const { nullable, example, examples, default: _default, ...rest } = value as Json
    const plain = Object.fromEntries(Object.entries(rest).map(([name, one]) => [name, this.#plain(one, inside)]))
    return nullable === true ? { anyOf: [plain, { type: 'null' }] } : plain
  }

  #resolve(value: Json): Json {
    if (typeof value.$ref !== 'string') return value
    const steps = value.$ref.replace('#/', '').split('/')
    const found = steps.reduce<unknown>((at, step) => (at as Json)[step.replaceAll('~1', '/')], this.#document)
    return this.#resolve(found as Json)
  }
}

/** The part of a value that does not fit: `/data/id must be string`. */
export function misfits(schema: Json, value: unknown): string[] {
  const [fits, errors] = Schema.Compile(schema as never).Errors(value)
  return fits ? [] : errors.map(({ instancePath, message }) => `${instancePath || '/'} ${message}`)
}
