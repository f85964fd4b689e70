import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import type { Environment } from './environment.ts'

/** A variable whose value is shorter than its line in a file. */
export interface Cut {
  name: string
  file: string
}

/**
 * Finds variables of which Node has taken only a part. In a file of `--env-file` Node takes what follows a `#` for a comment, also within
 * a word; docker takes it for a part of the value (nodejs.org, "--env-file"). With white space before the `#` a comment is meant.
 */
export function cutByNode(env: Environment, execArgv: readonly string[] = process.execArgv): Cut[] {
  return filesOf(execArgv).flatMap(file => {
    const text = readOrNothing(file)
    const values = parseEnv(text)
    const lines = [...text.matchAll(/^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=(#|[ \t]*[^#"'`\s])([^\r\n]*)/gm)]
    return lines
      .filter(([, name = '', first = '', rest = '']) => {
        return env[name] === values[name] && `${first}${rest}`.trimStart().startsWith(`${values[name]}#`)
      })
      .map(([, name = '']) => ({ name, file }))
  })
}

function filesOf(execArgv: readonly string[]): string[] {
  return execArgv.flatMap((arg, i) => {
    const [option = '', ...rest] = arg.split('=')
    if (option !== '--env-file' && option !== '--env-file-if-exists') return []
    return [rest.length > 0 ? rest.join('=') : (execArgv[i + 1] ?? '')]
  })
}

/** Node itself says which file it cannot read, or was told to go on without. */
function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
