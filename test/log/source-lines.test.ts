import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { inSourceLines } from '../../src/log/source-lines.ts'

t.test('a stack of a build is told in lines of its sources', async t => {
  const folder = t.testdir({
    src: {
      'fail.ts':
        'interface Wide {\n  a: string\n}\n\nexport function fail(wide: Wide): Error {\n  return new Error(wide.a)\n}\n'
    },
    lib: {}
  })
  const esbuild = resolve(`node_modules/@esbuild/linux-${process.arch}/bin/esbuild`)
  const args = ['src/fail.ts', '--outfile=out/lib/fail.js', '--format=esm', '--sourcemap', '--minify-whitespace']
  execFileSync(esbuild, [...args, '--log-level=warning'], { cwd: folder })
  const file = join(folder, 'out/lib/fail.js')
  const column = readFileSync(file, 'utf8').indexOf('new Error') + 1
  const stack = `Error: x\n    at fail (${pathToFileURL(file)}:1:${column})\n    at async file:///nowhere/test.ts:21:21`
  for (const times of ['first', 'second']) {
    const told = inSourceLines(stack)
    t.match(told, /^Error: x\n {4}at fail \(src\/fail\.ts:6:10\)\n/, times)
    t.equal(told.split('\n').slice(2).join('\n'), stack.split('\n').slice(2).join('\n'), 'the rest is as it was')
  }
  t.match(inSourceLines(stack.replaceAll('file://', '')), /src\/fail\.ts:6:10/, 'as CommonJS names files')
})

t.test('a place that no source map knows stays as it is', t => {
  const folder = t.testdir({ 'none.js': '', 'broken.js': '', 'broken.js.map': '{', 'short.js': '' })
  writeFileSync(join(folder, 'short.js.map'), JSON.stringify({ sources: ['a.ts'], mappings: 'A;AAAA,C' }))
  const places = ['none.js:1:1', 'broken.js:1:1', 'short.js:1:9', 'short.js:2:9', 'short.js:7:1', 'missing.js:1:1']
  for (const place of places) {
    const line = `    at x (${join(folder, place)})`
    t.equal(inSourceLines(line), line, place)
  }
  t.equal(
    inSourceLines('    at x (node:internal/a:1:2)\n    at src/y.ts:1:2'),
    '    at x (node:internal/a:1:2)\n    at src/y.ts:1:2'
  )
  t.end()
})

t.test('however many places errors have, few are remembered', t => {
  for (let i = 0; i < 1_100; i++) inSourceLines(`at /nowhere/x.js:${i}:1`)
  t.equal(inSourceLines('at /nowhere/x.js:1:1'), 'at /nowhere/x.js:1:1')
  t.end()
})
