import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A place in a text: line and column, both counted from 1. */
interface Place {
  line: number
  column: number
}

/** The parts of a source map that are read here (ECMA-426). */
interface SourceMap {
  sources: string[]
  mappings: string
}

const frames = /((?:file:\/\/)?\/[^\s()]+\.js):(\d+):(\d+)/g
/** The places of one error are those of the next. */
const known = new Map<string, string>()
const mostKnown = 1_000

/**
 * A stack trace of the build in lines of TypeScript: `src/upstream/transport/client.ts:112:9`. A place without a source map stays as it is.
 * (Node's own `--enable-source-maps` reads all maps in advance, which takes 60 MB and a third of a start, and runs for errors that nobody
 * reads.)
 */
export function inSourceLines(stack: string): string {
  return stack.replace(frames, frame => {
    const found = known.get(frame) ?? sourceOf(frame)
    if (known.size >= mostKnown) known.clear()
    known.set(frame, found)
    return found
  })
}

function sourceOf(frame: string): string {
  const [, at = '', line, column] = new RegExp(frames.source).exec(frame) ?? []
  const file = at.startsWith('file:') ? fileURLToPath(at) : at
  const map = mapOf(file)
  const place = map && placeIn(map, { line: Number(line), column: Number(column) })
  if (!place) return frame
  // Sources are named from the folder where the build was made; the part below the project is the same everywhere.
  return `${place.source.replace(/^(\.\.\/)+/, '')}:${place.line}:${place.column}`
}

/** Null for a file without a map, which every source has none of. */
function mapOf(file: string): SourceMap | null {
  try {
    return JSON.parse(readFileSync(`${file}.map`, 'utf8'))
  } catch {
    return null
  }
}

/** The source of a place in a generated file, by the last segment of its line that begins at or before it. */
function placeIn({ sources, mappings }: SourceMap, { line, column }: Place): (Place & { source: string }) | null {
  const at = { source: 0, line: 0, column: 0 }
  let found: typeof at | null = null
  for (const [i, segments] of mappings.split(';', line).entries()) {
    let generated = 0
    for (const segment of segments === '' ? [] : segments.split(',')) {
      const [forward = 0, source, down = 0, right = 0] = numbersOf(segment)
      generated += forward
      if (source !== undefined) {
        at.source += source
        at.line += down
        at.column += right
      }
      if (i === line - 1 && generated < column) found = source === undefined ? null : { ...at }
    }
  }
  const source = sources[found?.source ?? -1]
  return found && source !== undefined ? { source, line: found.line + 1, column: found.column + 1 } : null
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** The numbers of a segment: groups of five bits, the lowest first, of which the sign is the lowest bit of all (ECMA-426, "VLQ"). */
function numbersOf(segment: string): number[] {
  const numbers: number[] = []
  let value = 0
  let shift = 0
  for (const character of segment) {
    const digit = digits.indexOf(character)
    value |= (digit & 31) << shift
    shift += 5
    if (digit & 32) continue
    numbers.push(value & 1 ? -(value >> 1) : value >> 1)
    value = 0
    shift = 0
  }
  return numbers
}
