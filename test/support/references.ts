/** References of sources and documents: citations of the contract, links, and names of files. */
import { posix } from 'node:path'

/** A file as it is read here; `file` is relative to the project. */
export interface Page {
  file: string
  text: string
}

/** The things of the project that a page may name. */
export interface Project {
  pages: readonly Page[]
  /** Whether this file, folder or pattern of files is there. */
  has(path: string): boolean
}

export const contractFile = 'docs/contract.md'

/** Everything that leads nowhere, as `file: reference`. */
export function brokenReferences({ pages, has }: Project): string[] {
  const anchors = new Map(pages.filter(isDocument).map(page => [page.file, anchorsIn(page.text)]))
  const leadsTo = (file: string, anchor: string): boolean => anchors.get(file)?.includes(anchor) ?? false
  return pages.flatMap(page => {
    const found = anchors.get(page.file) ?? []
    return [
      ...found.filter((anchor, i) => found.indexOf(anchor) !== i).map(anchor => `#${anchor} is there twice`),
      ...citationsIn(page.text)
        .filter(anchor => !leadsTo(contractFile, anchor))
        .map(anchor => `contract#${anchor} has no heading`),
      ...numberedSectionsIn(page.text).map(number => `"${number}" is not an anchor`),
      ...linksIn(page)
        .filter(({ file, anchor }) => !(anchor === '' ? has(file) : leadsTo(file, anchor)))
        .map(({ link }) => `the link ${link} leads nowhere`),
      ...filesNamedIn(page)
        .filter(file => !has(file))
        .map(file => `${file} is gone`)
    ].map(problem => `${page.file}: ${problem}`)
  })
}

/** Anchors of a document's headings, by GitHub's rule. Of two that are the same GitHub renames the second. */
export function anchorsIn(markdown: string): string[] {
  return [...withoutCode(markdown).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '')
      .replaceAll(' ', '-')
  )
}

/** Anchors of the contract that are cited as `contract#` with the anchor behind it. */
export function citationsIn(text: string): string[] {
  return [...text.matchAll(/\bcontract#([\w-]+)/gi)].map(([, anchor = '']) => anchor)
}

/** Numbers of sections and of open questions. Only an RFC has any. */
function numberedSectionsIn(text: string): string[] {
  const oneLine = text.replace(/\s*\n\s*(?:\*(?!\/)|\/\/)?\s*/g, ' ')
  return [...oneLine.matchAll(/(?<!\bRFC \d{1,5},? \(?)\b(?:(?:contract )?section|question)s? \d[\d.]*/gi)].map(
    ([found]) => found
  )
}

/** Links of a document to files of the project, and to headings in them. */
function linksIn(page: Page): { link: string; file: string; anchor: string }[] {
  if (!isDocument(page)) return []
  return [...withoutCode(page.text).matchAll(/\]\((?![a-z]+:)([^)\s]+)\)/g)].map(([, link = '']) => {
    const [path = '', anchor = ''] = link.split('#')
    return { link, file: path === '' ? page.file : posix.join(posix.dirname(page.file), path), anchor }
  })
}

/**
 * Files and folders that a document, or a comment in a source, names with their place in the project; and sources that a
 * document names without. A place with a line behind it, as in a profile, is that of its time.
 */
function filesNamedIn(page: Page): string[] {
  const text = isDocument(page) ? page.text : commentsIn(page.text)
  const placed = [...text.matchAll(/(?<![\w/.@-])((?:src|test|docs|openapi)\/[\w./*-]*[\w*])(:\d)?/g)]
  const unplaced = isDocument(page) ? [...text.matchAll(/`(?!src\/|test\/)([\w/-]+\.ts)`/g)] : []
  const named = placed.filter(([, , line]) => line === undefined).map(([, path = '']) => path)
  return [...new Set([...named, ...unplaced.map(([, name = '']) => `**/${name}`)])]
}

function isDocument({ file }: Page): boolean {
  return file.endsWith('.md')
}

function withoutCode(markdown: string): string {
  return markdown.replace(/^```.*?^```$/gms, '')
}

function commentsIn(source: string): string {
  return [...source.matchAll(/^[ \t]*\/\*.*?\*\/|(?<=^|[ \t])\/\/ [^\n]*/gms)].map(([comment]) => comment).join('\n')
}
