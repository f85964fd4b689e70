import { readdirSync, readFileSync } from 'node:fs'
import ts from 'typescript'

type Json = Record<string, unknown>

/** A method of the vendor's own SDK: which operation it calls, and the fields that its types let a program send. */
export interface SdkOperation {
  /** `realtimeKit.meetings.create` */
  method: string
  /** `METHOD /path`, with `{}` for an id. */
  name: string
  in: 'query' | 'body' | null
  /** JSON Schema, as far as types say it. */
  schema: Json
}

const folder = 'node_modules/cloudflare/resources/realtime-kit'

/** Everything that the installed SDK can send to RealtimeKit. */
export function sdkOperations(): SdkOperation[] {
  const files = readdirSync(folder).filter(file => file.endsWith('.mjs') && file !== 'index.mjs')
  return files.flatMap(file => {
    const resource = file.replace('.mjs', '')
    const types = new Types(read(`${resource}.d.ts`))
    return methodsOf(read(file)).map(({ method, verb, path, rest, taken }) => {
      const params = types.paramsOf(method)
      const schema = params === null ? {} : types.schemaOf(params)
      const properties = Object.entries((schema.properties ?? {}) as Json).filter(([name]) => !taken.includes(name))
      const name = `${verb.toUpperCase()} ${path}`
      const fields = { ...schema, properties: Object.fromEntries(properties) }
      return { method: `realtimeKit.${resource}.${method}`, name, in: rest, schema: rest === null ? {} : fields }
    })
  })
}

function read(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(`${folder}/${file}`, 'utf8'), ts.ScriptTarget.ES2022, true)
}

/** Calls as the compiled methods make them: the types know neither method nor path. */
function methodsOf(source: ts.SourceFile) {
  const found: { method: string; verb: string; path: string; rest: 'query' | 'body' | null; taken: string[] }[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isMethodDeclaration(node)) {
      const text = node.getText()
      const [, verb, template] = /_client\.(\w+)\(path `([^`]+)`/.exec(text) ?? []
      if (verb === undefined || template === undefined) throw new Error(`not understood: ${text}`)
      const path = template.replace(/\$\{[^}]+\}/g, '{}').replace(/^\/accounts\/\{\}\/realtime\/kit(\/\{\})?(?=\/)/, '')
      const names =
        /const \{([^}]*)\} = params/
          .exec(text)?.[1]
          ?.split(',')
          .map(name => name.trim()) ?? []
      const rest = names.find(name => name.startsWith('...'))?.slice(3) ?? null
      if (rest !== null && rest !== 'query' && rest !== 'body') throw new Error(`${rest} is neither query nor body`)
      found.push({ method: node.name.getText(), verb, path, rest, taken: names })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** The declarations of one file, by their qualified names. */
class Types {
  readonly #declared = new Map<string, { members: ts.NodeArray<ts.TypeElement>; scope: string }>()
  readonly #params = new Map<string, ts.TypeNode>()

  constructor(source: ts.SourceFile) {
    const visit = (node: ts.Node, scope: string): void => {
      if (ts.isInterfaceDeclaration(node)) {
        const name = join(scope, node.name.text)
        this.#declared.set(name, { members: node.members, scope: name })
      } else if (ts.isModuleDeclaration(node)) {
        ts.forEachChild(node, child => visit(child, join(scope, node.name.text)))
      } else {
        if (ts.isMethodDeclaration(node)) {
          const params = node.parameters.find(one => one.name.getText() === 'params')?.type
          if (params !== undefined) this.#params.set(node.name.getText(), params)
        }
        ts.forEachChild(node, child => visit(child, scope))
      }
    }
    visit(source, '')
  }

  paramsOf(method: string): ts.TypeNode | null {
    return this.#params.get(method) ?? null
  }

  schemaOf(type: ts.TypeNode, scope = ''): Json {
    if (type.kind === ts.SyntaxKind.StringKeyword) return { type: 'string' }
    // Types know no bounds: a number that no document forbids anywhere.
    if (type.kind === ts.SyntaxKind.NumberKeyword) return { enum: [300] }
    if (type.kind === ts.SyntaxKind.BooleanKeyword) return { type: 'boolean' }
    if (type.kind === ts.SyntaxKind.UnknownKeyword) return {}
    if (ts.isLiteralTypeNode(type)) return literalOf(type)
    if (ts.isParenthesizedTypeNode(type)) return this.schemaOf(type.type, scope)
    if (ts.isUnionTypeNode(type)) return { anyOf: type.types.map(one => this.schemaOf(one, scope)) }
    if (ts.isArrayTypeNode(type)) return { type: 'array', items: this.schemaOf(type.elementType, scope) }
    if (ts.isTypeLiteralNode(type)) return {} // any members at all: only where Livegate has no such operation
    if (!ts.isTypeReferenceNode(type)) throw new Error(`not understood: ${type.getText()}`)
    const [item] = type.typeArguments ?? []
    if (type.typeName.getText() === 'Array' && item !== undefined) {
      return { type: 'array', items: this.schemaOf(item, scope) }
    }
    return this.#objectOf(type.typeName.getText(), scope)
  }

  #objectOf(name: string, scope: string): Json {
    for (let outer: string | null = scope; outer !== null; outer = outer === '' ? null : outer.replace(/\.?\w+$/, '')) {
      const declared = this.#declared.get(join(outer, name))
      if (declared === undefined) continue
      const fields = declared.members.filter(ts.isPropertySignature)
      const properties = fields.map(({ name, type }) => {
        if (type === undefined) throw new Error(`no type: ${name.getText()}`)
        return [name.getText().replaceAll(/['"]/g, ''), this.schemaOf(type, declared.scope)] as const
      })
      const required = fields.filter(one => one.questionToken === undefined).map(({ name }) => name.getText())
      return { type: 'object', properties: Object.fromEntries(properties), required }
    }
    throw new Error(`nobody declares ${name} in ${scope}`)
  }
}

function literalOf({ literal }: ts.LiteralTypeNode): Json {
  if (literal.kind === ts.SyntaxKind.NullKeyword) return { type: 'null' }
  if (ts.isStringLiteral(literal)) return { enum: [literal.text] }
  if (ts.isNumericLiteral(literal)) return { enum: [Number(literal.text)] }
  throw new Error(`not understood: ${literal.getText()}`)
}

function join(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`
}
