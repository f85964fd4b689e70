import t from 'tap'
import { makeLogger } from '../../src/log/logger.ts'
import { forTerminal } from '../../src/log/terminal.ts'

function kept() {
  const lines: string[] = []
  return { lines, write: (line: string) => void lines.push(line) }
}

t.test('a line at a terminal is readable, with its event and its facts, and one write a line', async t => {
  const output = kept()
  const log = makeLogger('info', await forTerminal(output, 1, true))
  log.warn({ event: 'disk_space_low', freeMb: 3 }, 'little disk space is left')
  log.error({ event: 'request_failed', err: new Error('it broke') }, 'request failed')
  t.equal(output.lines.length, 2)
  const [warning = '', failure = ''] = output.lines
  t.match(warning, /^\[\d\d:\d\d:\d\d\] .*WARN.*little disk space is left.*"event":"disk_space_low","freeMb":3/)
  t.match(failure, /Error: it broke\n +at /)
})

t.test("others' words cannot command the terminal, and a line that is none is written as it is", async t => {
  const output = kept()
  const lines = await forTerminal(output, 1, true)
  lines.write(
    JSON.stringify({ level: 30, time: 0, msg: 'a\u001b]0;title\u0007\u001b[2Jb', deep: { text: '\u009b31m' } })
  )
  const [line = ''] = output.lines
  for (const control of ['\u001b', '\u009b', '\u0007']) t.notOk(line.includes(control))
  t.match(line, 'title')
  lines.write('{"cut')
  t.equal(output.lines[1], '{"cut')
})

t.test('a file or a pipe gets JSON, from the same destination', async t => {
  const output = kept()
  t.equal(await forTerminal(output, 1, false), output)
})
