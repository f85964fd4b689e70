import t from 'tap'
import { startNode } from '../../support/cli.ts'

/** The figures that `npm run trace` prints; docs/architecture.md has them too. */
const most = { start: { files: 51, entries: 1 }, stop: { files: 52, entries: 1 } }

t.test('a start, and a stop, go one straight way: their own file is entered once, and few others', async t => {
  const args = ['test/bench/trace.ts', '--json', 'start', 'stop']
  const { stdout } = await startNode(t, args, {}).ended
  const lines = stdout.trim().split('\n')
  const ways = lines.map(line => JSON.parse(line) as { kind: 'start' | 'stop'; files: number; entries: number })
  t.strictSame(
    ways.map(({ kind }) => kind),
    ['start', 'stop']
  )
  for (const { kind, files, entries } of ways) {
    t.ok(files > 20 && files <= most[kind].files, `a ${kind} passes through ${files} files`)
    t.equal(entries, most[kind].entries, `${kind}.ts is entered ${entries} times`)
  }
})
