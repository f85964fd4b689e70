import { sections } from '../../src/config/settings.ts'

const width = 120

const head = `Every setting of \`livegate serve\`, with its default. Copy it to .env; \`npm start\` reads it, and so does
\`docker run --env-file .env\`. The two read it differently, so write each value bare: no quotes (docker keeps them)
and no # (Node ends the value there), with comments on lines of their own. Livegate refuses what one of them would change.
A secret with such a character comes from a file, as any can: DYTE_API_KEY_FILE=/run/secrets/dyte_api_key
Made by \`npm run settings\` of the table in src/config/settings.ts.`

/** The text of `.env.example`. */
export function envExample(): string {
  const parts = sections.map(([heading, settings]) => {
    const lines = Object.entries(settings).map(([name, { about, text, unset }]) => {
      const more = unset === undefined ? '' : ` Empty: ${plain(unset)}.`
      return `${wrapped(plain(about) + more)}\n${name}=${text}`
    })
    return [`# --- ${heading}`, ...lines].join('\n')
  })
  return `${[comment(head), ...parts].join('\n\n')}\n`
}

/** The generated part of docs/configuration.md. */
export function settingsTables(): string {
  const parts = sections.map(([heading, settings]) => {
    const rows = Object.entries(settings).map(([name, { about, text, unset = 'none' }]) => {
      return `| \`${name}\` | ${text === '' ? unset : `\`${text}\``} | ${about} |`
    })
    return [`## ${heading}`, '', '| variable | default | |', '| --- | --- | --- |', ...rows].join('\n')
  })
  return parts.join('\n\n')
}

export const begin = '<!-- The rows are made by `npm run settings` of src/config/settings.ts: change them there. -->'
export const end = '<!-- Here the generated part ends. -->'

/** A document with its generated part made anew. @throws Error when the marks are not there */
export function withTables(document: string): string {
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from === -1 || to < from) throw new Error('the marks of the generated part are missing')
  return `${document.slice(0, from)}${begin}\n\n${settingsTables()}\n\n${document.slice(to)}`
}

/** Markdown as plain text: no backticks, and of a link the document, as seen from the root. */
function plain(markdown: string): string {
  return markdown.replace(/\[([^\]]+)\]\([^)]+\)/g, '$1').replaceAll('`', '')
}

/** A comment, in lines that are not too long. */
function wrapped(text: string): string {
  const lines = ['#']
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1)} ${word}`
    if (line.length <= width) lines[lines.length - 1] = line
    else lines.push(`# ${word}`)
  }
  return lines.join('\n')
}

function comment(text: string): string {
  return text.replace(/^/gm, '# ')
}
