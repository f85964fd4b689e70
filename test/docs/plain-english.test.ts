import { globSync, readFileSync } from 'node:fs'
import t from 'tap'
import { hardSentencesIn, oddCommentsIn, oddNamesIn, sentencesIn } from '../support/plain-english.ts'

t.test(
  'each sentence of the documents has 25 words at most, and begins with neither Who, What, Of nor That',
  async t => {
    const files = globSync(['*.md', 'docs/**/*.md'])
    t.ok(files.length > 40)
    const hard = files.flatMap(file =>
      hardSentencesIn(readFileSync(file, 'utf8')).map(sentence => `${file}: ${sentence}`)
    )
    t.strictSame(hard, [])
  }
)

t.test('the sentences of a document are found in each kind of block', async t => {
  const page = `# Heading

One paragraph. It goes
on (\`a.b c\` counts once). \`code\` begins this one, [page.md](page.md#a) ends it. 409 is a number.

- An item. **Bold** words.
  Its second line.
1. Another item
> A quotation.

| a cell | [a link](x.md) |
| --- | --- |
| another. Two sentences | |

\`\`\`sh
that is code
\`\`\`
<!-- figures -->
Measured on a machine
<!-- end of figures -->
<!-- rows -->
A row.
<!-- end of rows -->`
  t.strictSame(sentencesIn(page), [
    'One paragraph.',
    'It goes on (Code counts once).',
    'Code begins this one, Page ends it.',
    '409 is a number.',
    'An item.',
    'Bold words.',
    'Its second line.',
    'Another item',
    'A quotation.',
    'a cell',
    'a link',
    'another.',
    'Two sentences',
    'A row.'
  ])
})

t.test('a hard sentence is found, and no other', async t => {
  const words = (count: number): string => `Word${' word'.repeat(count - 1)}.`
  for (const sentence of [
    words(26),
    'Who asks is told.',
    'What is left counts.',
    '**Of** two one wins.',
    'That it is so is known.'
  ])
    t.strictSame(hardSentencesIn(`Fine. ${sentence}`).length, 1, sentence)
  for (const sentence of [words(25), 'What runs in a meeting?', 'Whatever comes counts.', 'Often it does.'])
    t.strictSame(hardSentencesIn(`Fine. ${sentence}`), [], sentence)
})

t.test('the name of a test begins with its subject, and a comment with a noun or a verb', async t => {
  const files = globSync(['src/**/*.ts', 'test/**/*.ts'], { exclude: ['**/*.d.ts'] })
  t.ok(files.length > 600)
  const odd = files.flatMap(file => {
    const code = readFileSync(file, 'utf8')
    return [...oddNamesIn(code), ...oddCommentsIn(code)].map(text => `${file}: ${text}`)
  })
  t.strictSame(odd, [])
})

t.test('an odd beginning is found in each kind of name and comment, and no other', async t => {
  for (const name of ['what is no key is refused', 'when it ends all is well', 'Whatever comes counts', 'and it ends'])
    t.strictSame(oddNamesIn(`t.test('a start', end)\nt.test(\n  "${name}",\n  end)`), [name])
  t.strictSame(oddNamesIn(`t.test('a call is not sent when nobody listens', end)`), [])
  const [odd, good] = ['What is left.', 'Whatnots, of which one is left.']
  const forms = (text: string) => [`// ${text}`, `end() // ${text}`, `  /** ${text} */`, `/**\n * ${text}\n */`]
  for (const code of forms(odd)) t.equal(oddCommentsIn(`// A start.\n\n${code}`).length, 1, code)
  for (const code of [...forms(good), `// A start\n// ${odd}`, `'http://${odd}'`]) t.strictSame(oddCommentsIn(code), [])
})
