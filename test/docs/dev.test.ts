import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { startNode } from '../support/cli.ts'

t.test('npm run dev brings up the demo in watch mode', async t => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  const [exec, node, ...args] = scripts.dev.split(' ')
  t.strictSame([exec, node], ['exec', 'node'])
  t.ok(args.includes('--watch-path=src') && existsSync('src'))
  const child = startNode(t, [...args, '--port', '0'], { TMPDIR: t.testdir() })
  // Node waits for a change where it has failed, so that it must be asked for both.
  t.match(await child.line(/Swagger UI|Failed running/), ['Swagger UI'])
  child.signal('SIGTERM')
  t.equal((await child.ended).code, 0)
})
