import { globSync, readFileSync } from 'node:fs'
import t from 'tap'

/** The calls of a logger in these sources, each as its level and its words; a level that is chosen is `level`. */
function linesIn(code: string): { level: string; words: string }[] {
  const begins = [
    ...code.matchAll(
      /\b(?:log|logger)\??(?:\.(info|warn|error|fatal)|\[(level)\])\(|\btellTrouble\(\s*[\w#.]*\blog,\s*'(info|warn|error)',/g
    )
  ]
  return begins.map(({ index, 0: begin, 1: level, 2: chosen, 3: trouble }) => ({
    level: level ?? chosen ?? trouble ?? '',
    words: upToItsEnd(code, index + begin.length)
  }))
}

function upToItsEnd(code: string, from: number): string {
  let depth = 1
  for (let at = from; at < code.length; at++) {
    if ('([{'.includes(code[at] ?? '')) depth++
    if (')]}'.includes(code[at] ?? '')) depth--
    if (depth === 0) return code.slice(from, at)
  }
  return code.slice(from)
}

const files = globSync('src/**/*.ts')
const eventIn = /event: '([a-z_]+)'/

/** Files that make lines in their own way, and name the event of each themselves. */
const own = ['src/audit/unstored.ts', 'src/log/log-output.ts', 'src/domain/values/tell-trouble.ts']

t.test('docs/logs.md has each event that the log can have, with its level, and no other', async t => {
  const page = readFileSync('docs/logs.md', 'utf8')
  const told = [...page.matchAll(/^\| `([a-z_]+)` \| ([a-z, ]+) \| \S/gm)].map(
    ([, event, level]) => `${event} ${level}`
  )
  const found = new Set<string>()
  for (const file of files) {
    const code = readFileSync(file, 'utf8')
    for (const { level, words } of linesIn(code)) {
      if (own.includes(file)) continue
      const [, event] = eventIn.exec(words) ?? []
      t.ok(event, `a line of ${file} has an event: ${words.slice(0, 80)}`)
      found.add(`${event} ${level === 'level' ? 'info, debug' : level}`)
    }
  }
  const ofUnstored = readFileSync('src/audit/unstored.ts', 'utf8').matchAll(new RegExp(eventIn, 'g'))
  for (const [, event] of ofUnstored) found.add(`${event} error`)
  found.add('log_lines_lost warn').add('http_server any')
  t.match(readFileSync('src/log/log-output.ts', 'utf8'), "event: 'log_lines_lost'")
  t.strictSame([...told].sort(), [...found].sort())
  t.equal(new Set(told.map(line => line.split(' ')[0])).size, told.length, 'each once')
})

t.test('a line of the log is found however it is written, and only such a line', async t => {
  const found = (code: string) => linesIn(code).map(({ level, words }) => `${level} ${words}`)
  t.strictSame(found("this.#log.warn({ event: 'a', f: g(1) }, 'x')\n"), ["warn { event: 'a', f: g(1) }, 'x'"])
  t.strictSame(found("logger.info(\n{ event: 'a' }, 'x')"), ["info \n{ event: 'a' }, 'x'"])
  t.strictSame(found("request.log[level]({ a: [1] }, 'x')"), ["level { a: [1] }, 'x'"])
  t.strictSame(found("tellTrouble(\n this.#deps.log, 'warn', { event: 'a' }, 'x')"), ["warn  { event: 'a' }, 'x'"])
  t.strictSame(found('Math.log(1); dialog.warn(1); log.warn'), [])
})
