import { readFileSync } from 'node:fs'
import t from 'tap'
import { importsOfSrc } from '../support/imports.ts'

/** Rooms that the picture leaves out, since it would have an arrow from, or to, each other one. */
const leftOut = new Set(['domain', 'commands'])

t.test('the picture of the rooms has the arrows that the imports have', async t => {
  const page = readFileSync('docs/architecture.md', 'utf8')
  const [, picture = ''] = /^## Rooms$.*?^```mermaid$(.*?)^```$/ms.exec(page) ?? []
  const arrows = [...picture.matchAll(/^ *([\w-]+) --> (.*)$/gm)].flatMap(([, from = '', to = '']) =>
    to.split(' & ').map(room => `${from} --> ${room}`)
  )
  const imports = [...importsOfSrc()].flatMap(([file, names]) =>
    names.map(name => [roomOf(file), roomOf(name)] as const)
  )
  const drawn = imports.filter(([from, to]) => from && to && from !== to && !leftOut.has(from) && !leftOut.has(to))
  t.strictSame(arrows.toSorted(), [...new Set(drawn.map(([from, to]) => `${from} --> ${to}`))].sort())
})

t.test('the table of the rooms has each room', async t => {
  const page = readFileSync('docs/architecture.md', 'utf8')
  const rows = [...page.matchAll(/^\| \[([\w-]+)\]\(\.\.\/src\/\1\) \|/gm)].map(([, room]) => room)
  const rooms = new Set([...importsOfSrc().keys()].map(roomOf).filter(room => room !== null))
  t.strictSame(rows.sort(), [...rooms].sort())
})

/** The folder of `src` that has this file; null for one in the root, and for what is not in `src`. */
function roomOf(file: string): string | null {
  const [source, room, ...rest] = file.split('/')
  return source === 'src' && room !== undefined && rest.length > 0 ? room : null
}
