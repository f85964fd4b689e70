import t from 'tap'
import { levelSwitch } from '../../src/log/level-switch.ts'
import { makeLogger } from '../../src/log/logger.ts'

/** Turns a log of this level three times, and gives its levels and what it told. */
function turned(level: string) {
  const lines: string[] = []
  const log = makeLogger(level, { write: line => void lines.push(line) })
  const turn = levelSwitch(log)
  const levels = [1, 2, 3].map(() => {
    turn()
    return log.level
  })
  return { levels, told: lines.map(line => JSON.parse(line)).map(({ event, log_level }) => `${event} ${log_level}`) }
}

t.test('a log is turned to debug and back, and tells of each turn at the louder of the two levels', async t => {
  for (const level of ['info', 'warn', 'error', 'silent']) {
    const { levels, told } = turned(level)
    t.strictSame(levels, ['debug', level, 'debug'], level)
    t.strictSame(
      told,
      levels.map(next => `log_level_changed ${next}`)
    )
  }
})

t.test('a log that is at debug or below is turned to info and back', async t => {
  for (const level of ['debug', 'trace']) t.strictSame(turned(level).levels, ['info', level, 'info'])
})
