import { isatty } from 'node:tty'

/** A destination of lines. */
interface Lines {
  write(line: string): void
}

/** The same destination, or one before it that makes each line readable where a person sits at a terminal. @param fd where it writes */
export async function forTerminal(lines: Lines, fd: number, isTerminal = isatty(fd)): Promise<Lines> {
  if (!isTerminal) return lines
  const { default: library } = await import('pino-pretty')
  const pretty = library.prettyFactory({ translateTime: 'SYS:HH:MM:ss', singleLine: true })
  return { write: line => lines.write(readable(line, pretty)) }
}

/** A line that cannot be made readable is written as it is. */
function readable(line: string, pretty: (facts: object) => string): string {
  try {
    return pretty(JSON.parse(line, withoutControls)) ?? line
  } catch {
    return line
  }
}

/** Some texts are others' words, and a terminal obeys what it is shown. */
function withoutControls(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/[^\P{Cc}\n\t]/gu, '\ufffd') : value
}
