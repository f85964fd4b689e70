import type { Logger } from 'pino'

/**
 * Turns a log that has become too quiet to `debug`, and back to the level that was configured; one that is at `debug` or below goes to
 * `info` and back. Each turn is a line, at the louder of the two levels.
 */
export function levelSwitch(logger: Logger): () => void {
  const configured = logger.level
  const other = configured === 'debug' || configured === 'trace' ? 'info' : 'debug'
  return () => {
    const before = logger.level
    const next = before === configured ? other : configured
    logger.level = louder(logger, before, next)
    logger.info({ event: 'log_level_changed', log_level: next }, 'the level of the log was changed by a signal')
    logger.level = next
  }
}

/** `silent` is the highest level of all. */
function louder({ levels }: Logger, one: string, another: string): string {
  const rankOf = (level: string): number => levels.values[level] ?? Number.POSITIVE_INFINITY
  return rankOf(one) < rankOf(another) ? one : another
}
