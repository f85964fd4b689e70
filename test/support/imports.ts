import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The imports of a file: files relative to the project's folder, packages and modules of Node by their names. */
export function importsOf(file: string, code: string): string[] {
  const found = code.matchAll(/^(?:import\s[^';]*|export\s[^';=()]*\sfrom\s)'([^']+)'|\bimport\('([^']+)'\)/gm)
  return [...found].map(([, named, lazy]) => {
    const name = named ?? lazy ?? ''
    return name.startsWith('.') ? join(dirname(file), name) : name
  })
}

/** All files of `src` with what they import. */
export function importsOfSrc(): Map<string, string[]> {
  return new Map(globSync('src/**/*.ts').map(file => [file, importsOf(file, readFileSync(file, 'utf8'))]))
}
