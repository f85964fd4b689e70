/** Sentences of documents, and which of them a reader has to read twice. */

/** Words that open a sentence in other languages, where English has a noun first. A question may begin so. */
const oddOpening = /^(Who|What|Whose|Whom|Of|That)\b/
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
