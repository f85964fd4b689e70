/** Sentences of documents, names of tests and comments, and those of them that a reader has to read twice. */

/** Words that open a sentence in other languages, where English has a noun first. A question may begin so. */
const oddOpening = /^(Who|What|Whose|Whom|Of|That)\b/
/** First words of a comment that has no noun in front: it may trail behind code, in lower case. */
const oddComment = /^(?:who|whom|whose|whoever|what|whatever|which|whichever|of|that)\b/i
/** First words of a test's name that promises nothing yet: its subject comes later. */
const oddName =
  /^(?:who|whom|whose|whoever|what|whatever|which|whichever|where|wherever|when|whenever|why|how|of|that|and)\b/i
/** Most words of a sentence. */
const mostWords = 25
/** Begin of a list's item or of a quotation. */
const item = /\s*(?:[-*>]|\d+\.) /

/** Sentences of a document that are too long, or begin with a relative clause. */
export function hardSentencesIn(markdown: string): string[] {
  return sentencesIn(markdown).filter(
    sentence => wordsIn(sentence) > mostWords || (oddOpening.test(sentence) && !sentence.endsWith('?'))
  )
}

/**
 * Sentences of paragraphs, items and cells of tables. Code within a line, and a link to a page by its name, count as one word.
 * Headings, blocks of code and measurements, which a program writes, have none.
 */
export function sentencesIn(markdown: string): string[] {
  const text = markdown
    .replace(/^```.*?^```$/gms, '\n')
    .replace(/^<!-- (\w+) -->$.*?^<!-- end of \1 -->$/gms, block => (block.includes('Measured on') ? '\n' : block))
    .replace(/<!--.*?-->/gs, '\n')
    .replace(/^#+ .*$/gm, '')
    .replace(/`[^`\n]+`/g, 'Code')
    .replace(/\[[\w-]+\.md\]\([^)]*\)/g, 'Page')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*_]{1,3}([^*_\n]+)[*_]{1,3}/g, '$1')
  const blocks = text.split(new RegExp(`\\n\\s*\\n|\\n(?=${item.source})|\\n(?=\\|)|\\|`))
  return blocks
    .map(block =>
      block
        .replace(new RegExp(`^${item.source}`), '')
        .replace(/\s+/g, ' ')
        .trim()
    )
    .flatMap(block => block.split(/(?<=[.!?]["”)]?) (?=["“(]?[A-Z0-9])/))
    .filter(sentence => wordsIn(sentence) > 0)
}

function wordsIn(sentence: string): number {
  return sentence.split(' ').filter(word => /[\p{L}\p{N}]/u.test(word)).length
}

/** Names of tests that begin with a question word, Of, That or And. */
export function oddNamesIn(code: string): string[] {
  const names = code.matchAll(/\b(?:t\.(?:test|only)|forEach\w+)\(\s*(["'`])(.*?)\1/g)
  return [...names].map(([, , name = '']) => name).filter(name => oddName.test(name))
}

/** Comments that begin with a relative clause, by their first lines. Lines of `//` that follow each other are one comment. */
export function oddCommentsIn(code: string): string[] {
  const blocks = [...code.matchAll(/\/\*\*?\s+(?:\* )?(.*)/g)].map(([, text = '']) => text)
  const lines = code.split('\n')
  const single = lines.flatMap((line, i) => {
    const isNext = /^\s*\/\//.test(line) && /^\s*\/\//.test(lines[i - 1] ?? '')
    return isNext ? [] : (/(?:^|\s)\/\/ (.*)/.exec(line)?.slice(1) ?? [])
  })
  return [...blocks, ...single].filter(text => oddComment.test(text))
}
