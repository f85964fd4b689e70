import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** A function of `src` that was called, and the file of the function that called it; null when none of `src` did. */
export interface Entered {
  file: string
  name: string
  from: string | null
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const functions: Pick<Entered, 'file' | 'name'>[] = []
let onCall: ((id: number) => void) | null = null

/**
 * Makes each function of `src` that is loaded from now on say when it is called. V8's coverage counts calls, but knows neither
 * their order nor their callers. The simulator stands for the vendor, and says nothing.
 */
export function watchCalls(): void {
  Object.assign(globalThis, { onCallInSrc: (id: number) => onCall?.(id) })
  registerHooks({
    load(url, context, nextLoad) {
      const file = fileOf(url)
      if (!/^src\/(?!simulator\/).*\.ts$/.test(file)) return nextLoad(url, context)
      const source = withCalls(file, readFileSync(fileURLToPath(url), 'utf8'))
      return { format: 'module-typescript', shortCircuit: true, source }
    }
  })
}

/** Does the work, and gives the calls of functions of `src` meanwhile, in their order. */
export async function enteredDuring(work: () => Promise<unknown>): Promise<Entered[]> {
  const entered: Entered[] = []
  onCall = id => {
    const called = functions[id]
    if (called !== undefined) entered.push({ ...called, from: callerOf() })
  }
  try {
    await work()
  } finally {
    onCall = null
  }
  return entered
}

/** The file of `src` whose function has called the one that says so. Frames from before a pause do not count. */
function callerOf(): string | null {
  const { prepareStackTrace, stackTraceLimit } = Error
  Error.stackTraceLimit = 50
  Error.prepareStackTrace = (_, frames) => frames.filter(frame => !frame.isAsync()).map(frame => frame.getFileName())
  const names = new Error().stack as unknown as (string | null)[]
  Object.assign(Error, { prepareStackTrace, stackTraceLimit })
  const [, caller] = names.map(name => fileOf(name ?? '')).filter(file => file.startsWith('src/'))
  return caller ?? null
}

function fileOf(url: string): string {
  return url.startsWith('file:') ? relative(root, fileURLToPath(url)) : ''
}

/** The same source, in which each function's body begins by saying that it is called. No line moves. */
function withCalls(file: string, text: string): string {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const insertions: { at: number; code: string }[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const body = node.body as ts.Node
      const call = `onCallInSrc(${functions.push({ file, name: nameOf(node, source) }) - 1})`
      if (ts.isBlock(body)) insertions.push({ at: body.getStart() + 1, code: `${call};` })
      else insertions.push({ at: body.getStart(), code: `(${call},` }, { at: body.getEnd(), code: ')' })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  let made = ''
  let doneTo = 0
  for (const { at, code } of insertions.sort((a, b) => a.at - b.at)) {
    made += text.slice(doneTo, at) + code
    doneTo = at
  }
  return made + text.slice(doneTo)
}

function nameOf(node: ts.SignatureDeclaration, source: ts.SourceFile): string {
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  const isValue = ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent)
  const name = node.name ?? (isValue ? node.parent.name : undefined)
  return name?.getText() ?? `line ${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`
}
