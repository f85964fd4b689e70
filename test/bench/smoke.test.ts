import t from 'tap'
import { startNode, unmeasured } from '../support/cli.ts'

t.test('the bench runs: every answer is right, and the vendor is called as often as it must be', async t => {
  const { code, stdout, stderr } = await startNode(t, ['test/bench/main.ts', '--smoke'], unmeasured).ended
  t.equal(code, 0, stderr)
  t.match(stdout, / answers, all of them right/)
  // The ratios are for who reads the log; on a machine that is shared they decide nothing.
  for (const line of stdout.split('\n')) if (line !== '') t.comment(line)
})
