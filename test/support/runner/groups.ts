/** Groups of test files that share a process in a run of all tests: to load what a gateway needs costs more than most files do. */
import { globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { campaigns } from './campaigns.ts'

const folder = '.tap/groups'
/** A process whose coverage is measured compiles all sources anew, and is slow until it has: of those there are few. */
const mostFiles = { guarantees: 6, postgres: 120, replicas: 120, others: 120 }
const isGuarantee = (file: string): boolean => file.startsWith('test/guarantees/')
/** These share a server of PostgreSQL, and what they test has its stores there. */
const isOnPostgres = (file: string): boolean => file.startsWith('test/postgres/')
const isOfReplicas = (file: string): boolean => file.startsWith('test/replicas/')
/** Each in a process of its own: campaigns of guarantees take long, and the others look at, or harm, the whole process. */
const alone = new Set<string>([
  ...Object.values(campaigns).flatMap(({ file }) => (isGuarantee(file) ? [file] : [])),
  'test/bench/counts.test.ts',
  'test/build.test.ts',
  'test/guarantees/record/audit-cannot-write.test.ts',
  'test/guarantees/starts/confused-vendor.test.ts',
  'test/postgres/killed.test.ts',
  'test/guarantees/field/the-clock-may-be-set.test.ts'
])

const longest = campaigns.oddStarts.file

/** Writes a file for each group, and gives them. Tap runs them in the order of their names: those that take longest come first. */
export function writeGroups(): string[] {
  const files = globSync('test/**/*.test.ts').sort()
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const single = files.filter(file => alone.has(file))
  // Guarantees apart from the others: their coverage is off (`light-tap.ts`).
  const together = Map.groupBy(
    files.filter(file => !alone.has(file)),
    (file): keyof typeof mostFiles => {
      if (isGuarantee(file)) return 'guarantees'
      if (isOnPostgres(file)) return 'postgres'
      return isOfReplicas(file) ? 'replicas' : 'others'
    }
  )
  return [
    ...single.map(file => write(`${file === longest ? 0 : 1}-${file.replace('.test.ts', '')}`, [file])),
    ...[...together].flatMap(([name, some]) => {
      const count = Math.ceil(some.length / mostFiles[name])
      // Neighbours in the alphabet are often alike, and slow together: they are dealt out.
      const parts = Array.from({ length: count }, (_, part) => some.filter((_, i) => i % count === part))
      return parts.map((part, i) => write(`${name === 'guarantees' ? 1 : 0}-test-${name}-${i + 1}`, part))
    })
  ]
}

function write(name: string, files: string[]): string {
  const path = `${folder}/${name.replaceAll('/', '-')}.test.ts`
  const runner = JSON.stringify(resolve('test/support/runner/group.ts'))
  writeFileSync(path, `import { group } from ${runner}\n\ngroup(${JSON.stringify(files, null, 2)})\n`)
  return path
}
