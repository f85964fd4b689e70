import type { Definition } from '../../../src/metrics/definition.ts'
import { headings } from '../../../src/metrics/definitions/all.ts'

const begin = '<!-- The tables are made by `npm run metrics` of src/metrics/definitions: change them there. -->'
const end = '<!-- Here the generated part ends. -->'

/** The page on metrics with its tables made anew. @throws Error when the marks are not there */
export function withMetrics(document: string): string {
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from === -1 || to < from) throw new Error('the marks of the generated part are missing')
  return `${document.slice(0, from)}${begin}\n\n${tables()}\n\n${document.slice(to)}`
}

function tables(): string {
  const parts = Object.entries(headings).map(([heading, definitions]) => {
    const rows = Object.entries(definitions).map(([name, definition]) => rowOf(name, definition))
    return [`### ${heading}`, '', '| metric | kind | labels | |', '| --- | --- | --- | --- |', ...rows].join('\n')
  })
  return parts.join('\n\n')
}

function rowOf(name: string, { kind, labels, values, about }: Definition): string {
  const shown = labels.map(label => `\`${label}\``).join(', ')
  const known = values.length === 0 ? '' : `: ${values.map(value => `\`${value}\``).join(', ')}`
  return `| \`${name}\` | ${kind} | ${shown}${known} | ${about}. |`
}
