import t from 'tap'
import { Failures } from './runner/failures.ts'

function listed(output: string): string[] {
  const failures = new Failures()
  for (const line of output.split('\n')) failures.line(line)
  return failures.list()
}

t.test('a failed point is listed once, with the tests around it and its diagnostics', async t => {
  const output = `TAP version 14
# Subtest: .tap/groups/1-a.test.ts
    # Subtest: test/a.test.ts
        # Subtest: a start
            ok 1 - is sent
            not ok 2 - is sent once
              ---
              diff: |
                -1
                +2
              ...
            ok 3 - should be equal
            1..3
        not ok 1 - a start # time=7.1ms
          ---
          at: here
          ...
        # Subtest: a stop
            ok 1 - is sent
            1..1
        ok 2 - a stop # time=1ms
        1..2
    not ok 1 - test/a.test.ts # time=9ms
not ok 1 - .tap/groups/1-a.test.ts # time=10ms
1..1`
  t.strictSame(listed(output), ['test/a.test.ts > a start > is sent once\n  ---\n  diff: |\n    -1\n    +2\n  ...'])
})

t.test('a file that fails without a failed point is listed itself', async t => {
  const output = `# Subtest: test/a.test.ts
    ok 1 - fine
    1..1
not ok 1 - test/a.test.ts # time=5ms
  ---
  exitCode: 1
  ...
ok 2 - test/b.test.ts`
  t.strictSame(listed(output), ['test/a.test.ts\n  ---\n  exitCode: 1\n  ...'])
})

t.test('the same name in another test is another failure, and long diagnostics are cut', async t => {
  const one = (name: string): string => `# Subtest: ${name}
    not ok 1 - should be equal
      ---
${'      x\n'.repeat(100)}      ...
    1..1
not ok 1 - ${name}
`
  const list = listed(one('a') + one('b'))
  t.strictSame(
    list.map(text => text.split('\n')[0]),
    ['a > should be equal', 'b > should be equal']
  )
  t.ok(list.every(text => text.split('\n').length < 25))
})

t.test('a run without failures has none', async t => {
  t.strictSame(listed('TAP version 14\nok 1 - a\n1..1\n# { total: 1, pass: 1 }'), [])
})
