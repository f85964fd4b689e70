import { readFileSync } from 'node:fs'
import t from 'tap'
import { runHere } from '../support/cli.ts'

t.test('openapi prints the document that is committed, without any configuration', async t => {
  const committed = readFileSync('openapi/livegate.json', 'utf8')
  const { code, stdout, stderr } = await runHere(['openapi'], { DATABASE_URL: 'nonsense' })
  t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  t.equal(stdout, committed, 'run npm run openapi when routes have changed')
  t.strictSame(JSON.parse((await runHere(['openapi', '--json'], {})).stdout), JSON.parse(committed))
})
