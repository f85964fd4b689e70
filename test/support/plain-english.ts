/** Sentences of documents, and which of them a reader has to read twice. */

/** Words that open a sentence in other languages, where English has a noun first. A question may begin so. */
const oddOpenings = /^(Who|What|Whose|Whom|Of|That)\b/
/** Most words of a sentence. */
const mostWords = 25

/** Sentences of a document that are too long, or begin with a relative clause. Code, headings and comments are none. */
export function hardSentencesIn(markdown: string): string[] {
  return sentencesIn(markdown).filter(
    sentence => wordsIn(sentence) > mostWords || (oddOpenings.test(sentence) && !sentence.endsWith('?'))
  )
}

/** Sentences of paragraphs, list items and cells of tables; code within a line counts as one word. */
export function sentencesIn(markdown: string): string[] {
  const text = markdown
    .replace(/^(?:```|~~~)[^\n]*\n.*?^(?:```|~~~)$/gms, '\n')
    .replace(/<!--.*?-->/gs, '\n')
    .replace(/^#+ .*$/gm, '')
    .replace(/^\|[ :|-]+\|$/gm, '')
    .replace(/`[^`\n]+`/g, 'Code')
    .replace(/\[[\w-]+\.md\]\([^)]*\)/g, 'Page')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*_]{1,3}([^*_\n]+)[*_]{1,3}/g, '$1')
  const blocks = text.split(/\n\s*\n|\n(?=\s*(?:[-*>]|\d+\.) )|\n(?=\|)|(?<!\\)\|/)
  return blocks
    .map(block => block.replace(/^\s*(?:[-*>]|\d+\.) /, '').replace(/\s+/g, ' ').trim())
    .flatMap(block => block.split(/(?<=[.!?]["”)]?) (?=["“(]?[A-Z0-9])/))
    .filter(sentence => /[a-z]/i.test(sentence))
}

function wordsIn(sentence: string): number {
  return sentence.split(/\s+/).filter(word => /[\p{L}\p{N}]/u.test(word)).length
}
