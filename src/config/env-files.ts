import { readFileSync, statSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { checkFile } from '../domain/values/own-file.ts'
import type { Environment } from './environment.ts'

/** A variable whose value differs from its line in a file. */
export interface Cut {
  name: string
  file: string
  /** The sign at which Node stopped reading the value. */
  at: '#' | 'quote'
}

/**
 * Finds variables of which Node has taken only a part. In a file of `--env-file` Node reads a `#` as the beginning of a comment, also
 * within a word; docker reads it as a part of the value (nodejs.org, "--env-file"). White space before the `#` shows that a comment is
 * meant. Node looks for a closing quote beyond the end of the line, and leaves out the text behind it.
 */
export function cutByNode(env: Environment, execArgv: readonly string[] = process.execArgv): Cut[] {
  return filesOf(execArgv).flatMap(file => {
    const text = readOrNothing(file)
    const values = parseEnv(text)
    const lines = [...text.matchAll(/^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=(#|[ \t]*[^#"'`\s])([^\r\n]*)/gm)]
    const atHash = lines.filter(([, name = '', first = '', rest = '']) =>
      `${first}${rest}`.trimStart().startsWith(`${values[name]}#`)
    )
    const inQuotes = text.matchAll(/^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*(["'`])([\s\S]*?)\2([^\r\n]*)/gm)
    const atQuote = [...inQuotes].filter(([, name = '', quote, value = '', rest = '']) => {
      const isLast = values[name] === (quote === '"' ? value.replaceAll('\\n', '\n') : value)
      const takesLines = /[\r\n][ \t]*(export[ \t]+)?\w+[ \t]*=/.test(value)
      return isLast && (takesLines || !/^[ \t]*$|^[ \t]+#/.test(rest))
    })
    const cuts = [
      ...atHash.map(([, name = '']): Cut => ({ name, file, at: '#' })),
      ...atQuote.map(([, name = '']): Cut => ({ name, file, at: 'quote' }))
    ]
    return cuts.filter(({ name }) => env[name] === values[name])
  })
}

function filesOf(execArgv: readonly string[]): string[] {
  return execArgv.flatMap((arg, i) => {
    const [option = '', ...rest] = arg.split('=')
    if (option !== '--env-file' && option !== '--env-file-if-exists') return []
    return [rest.length > 0 ? rest.join('=') : (execArgv[i + 1] ?? '')]
  })
}

/** Reads a file, or nothing: Node itself tells of a file that it cannot read. */
function readOrNothing(file: string): string {
  try {
    checkFile(file, statSync(file))
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
