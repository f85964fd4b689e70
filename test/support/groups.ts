/** Which test files share a process in a run of all tests: to load what a gateway needs costs more than most files do. */
import { globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

const folder = '.tap/groups'
/** Files that start processes, fill disks and load machines, and take their time: each has a process of its own. */
const alone = /^test\/(guarantees|bench)\//
const mostFiles = 12

/** Writes a file for each group. Gives those, and the files that run alone, which come first since they take longest. */
export function writeGroups(): string[] {
  const files = globSync('test/**/*.test.ts').sort()
  const together = files.filter(file => !alone.test(file))
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const groups = [...Map.groupBy(together, dirname)].flatMap(([place, inPlace]) => {
    const count = Math.ceil(inPlace.length / mostFiles)
    // Neighbours in the alphabet are often alike, and slow together: they are dealt out.
    return Array.from({ length: count }, (_, at) => {
      const name = `${folder}/${place.replaceAll('/', '-')}-${at + 1}.test.ts`
      write(
        name,
        inPlace.filter((_, i) => i % count === at)
      )
      return name
    })
  })
  return [...files.filter(file => alone.test(file)), ...groups]
}

function write(name: string, files: string[]): void {
  const runner = JSON.stringify(resolve('test/support/group.ts'))
  writeFileSync(name, `import { group } from ${runner}\n\ngroup(${JSON.stringify(files, null, 2)})\n`)
}
