import { existsSync, globSync, readFileSync } from 'node:fs'
import t from 'tap'
import { anchorsIn, brokenReferences, citationsIn, contractFile, type Page } from '../support/references.ts'

const has = (path: string): boolean =>
  path.includes('*') ? globSync(path, { exclude: ['node_modules'] }).length > 0 : existsSync(path)
const pages = globSync(['*.md', 'docs/**/*.md', 'src/**/*.ts', 'test/**/*.ts']).map(
  (file): Page => ({ file, text: readFileSync(file, 'utf8') })
)

t.test('each citation, link and file name in sources, tests and documents leads somewhere', async t => {
  t.strictSame(brokenReferences({ pages, has }), [])
})

t.test('citations are found in each kind of file', async t => {
  for (const kind of [/^src\//, /^test\//, /^docs\//]) {
    const texts = pages.filter(({ file }) => kind.test(file)).map(({ text }) => text)
    t.ok(citationsIn(texts.join('\n')).length > 0, String(kind))
  }
  const facts = pages.filter(({ file }) => file === contractFile).flatMap(({ text }) => anchorsIn(text))
  t.ok(facts.length > 50)
})

/** A project with one fact and one source, and a page that refers to them. */
const brokenIn = (file: string, text: string): string[] =>
  brokenReferences({
    pages: [
      { file: contractFile, text: '# Facts\n\n### one-fact\n\n### `Two` [facts](#one-fact)\n' },
      { file, text }
    ],
    has: path => ['src/app.ts', '**/app.ts', contractFile].includes(path)
  })
/** Built here, so that this file has no broken reference itself. */
const cite = (anchor: string): string => `contract${'#'}${anchor}`
const section = `section${' '}`

t.test('a reference that leads somewhere is none to report', async t => {
  for (const [file, text] of [
    ['src/x.ts', `// ${cite('one-fact')}, src${'/'}app.ts`],
    ['src/x.ts', `/**\n * RFC 9110,\n * ${section}8.8; RFC 9112 (${section}3)\n */`],
    ['src/x.ts', `const made = 'src${'/'}made-up.ts'`],
    ['docs/x.md', '[a](contract.md#one-fact) [b](../src/app.ts) [c](#here) [d](https://a.example/b#c)\n## Here'],
    ['docs/x.md', `\`app.ts\`; in a profile src${'/'}gone.ts:14`],
    ['docs/x.md', '[two](contract.md#two-facts)\n```\n# Here\n[a](gone.md)\n```\n# Here']
  ] as const)
    t.strictSame(brokenIn(file, text), [], text)
})

t.test('a reference that leads nowhere is reported, with the file that has it', async t => {
  for (const [file, text, problem] of [
    ['src/x.ts', `// ${cite('gone')}`, `${cite('gone')} has no heading`],
    ['test/x.ts', `t.ok(true, '${cite('One-fact')}: why')`, `${cite('One-fact')} has no heading`],
    ['docs/x.md', `As ${cite('gone')} says`, `${cite('gone')} has no heading`],
    ['src/x.ts', `/**\n * The contract\n * ${section}4.3 says so\n */`, `"contract ${section}4.3" is not an anchor`],
    ['src/x.ts', `/** Question${' '}1. */`, `"Question${' '}1." is not an anchor`],
    ['docs/x.md', `See ${section}11`, `"${section}11" is not an anchor`],
    ['docs/x.md', '## Here\n### here', '#here is there twice'],
    ['docs/x.md', '[a](contract.md#gone)', 'the link contract.md#gone leads nowhere'],
    ['docs/x.md', '[a](gone.md)', 'the link gone.md leads nowhere'],
    ['docs/x.md', '[a](#gone)', 'the link #gone leads nowhere'],
    ['docs/x.md', `Look at \`src${'/'}gone.ts\`.`, `src${'/'}gone.ts is gone`],
    ['docs/x.md', '`gone.ts` has it', '**/gone.ts is gone'],
    ['src/x.ts', `/** As src${'/'}gone.ts does. */`, `src${'/'}gone.ts is gone`],
    ['test/x.ts', `const x = 1 // docs${'/'}gone.md`, `docs${'/'}gone.md is gone`]
  ] as const)
    t.strictSame(brokenIn(file, text), [`${file}: ${problem}`], text)
})
