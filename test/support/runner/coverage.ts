import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { postgresBin } from '../postgres/server.ts'

const report = '.tap/report/lcov.info'

/** Threads are not seen by the coverage; this file is a shim of a few lines, and what it calls is tested on the main thread. */
const unseen = new Set(['src/store/engine/sqlite-worker.ts'])

/** Where a machine has no server, the tests that need one are skipped, and say so. */
const isSkipped = (file: string): boolean => postgresBin === null && file.startsWith('src/store/postgres/')

/** Lines that no test has run: `file:line`, or a whole file that was never loaded. Files of types alone have nothing to run. */
export function uncovered(): string[] {
  if (!existsSync(report)) return ['no coverage was measured']
  const covered = readReport(readFileSync(report, 'utf8'))
  return sources('src').flatMap(file => {
    const missed = covered.get(file)
    if (missed !== undefined) return missed.map(line => `${file}:${line}`)
    return unseen.has(file) || isSkipped(file) || isOnlyTypes(file) ? [] : [`${file} (never loaded)`]
  })
}

function readReport(text: string): Map<string, number[]> {
  const missed = new Map<string, number[]>()
  let lines: number[] = []
  for (const entry of text.split('\n')) {
    if (entry.startsWith('SF:')) {
      lines = []
      missed.set(entry.slice(3), lines)
    }
    const [, line, hits] = /^DA:(\d+),(\d+)/.exec(entry) ?? []
    if (hits === '0') lines.push(Number(line))
  }
  return missed
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? sources(path) : path.endsWith('.ts') ? [path] : []
  })
}

function isOnlyTypes(file: string): boolean {
  const code = stripTypeScriptTypes(readFileSync(file, 'utf8'))
  return code.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '').trim() === ''
}
