/**
 * `npm run build`: makes `dist/`, a package that needs nothing besides Node. `node build.ts --if-changed` makes it only when it is not that of
 * these sources. Docs: docs/decisions/0026-a-build-for-production.md.
 */
import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'

/** Files that a build is made of, besides the packages, which the lock file names. */
const sources = ['src/**/*', 'build.ts', 'package.json', 'package-lock.json', 'tsconfig.json']
/** The programs of a build: the command, and the thread that it starts by its file name. */
const entries = ['src/cli.ts', 'src/store/engine/sqlite-worker.ts']
const root = import.meta.dirname

/** The name of a build: a digest of all that it is made of. @param also further files or folders */
export function digestOfSources(also: readonly string[] = []): string {
  const files = globSync([...sources, ...also], { cwd: root, withFileTypes: true }).filter(file => file.isFile())
  const paths = files.map(file => relative(root, join(file.parentPath, file.name))).sort()
  return hash('sha256', paths.map(path => `${path} ${hash('sha256', readFileSync(join(root, path)))}\n`).join(''))
}

export interface BuildOptions {
  /** More programs, relative to the project. */
  also?: readonly string[]
  /** Kept in the build, so that a later one can tell whether it is the same. */
  digest?: string
  /** The commit, or whatever tells where the sources come from. */
  revision?: string
}

/**
 * Makes a build in a folder, which it replaces at once: nobody meets half of one. `lib` has the bundle; packages that look for files beside
 * their own `lib` find them where they stand in their package: better-sqlite3 its native code in `prebuilds`, Swagger UI its page in `static`.
 */
export function build(
  folder: string,
  { also = [], digest = digestOfSources(also), revision = commit() }: BuildOptions = {}
): void {
  const draft = `${folder}-${process.pid}`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  const metafile = join(draft, 'meta.json')
  execFileSync(
    join(root, `node_modules/@esbuild/linux-${process.arch}/bin/esbuild`),
    [
      ...entries,
      ...also,
      ...['--bundle', '--splitting', '--format=esm', '--platform=node', '--target=node24', '--log-level=warning'],
      ...['--entry-names=[name]', '--chunk-names=[name]-[hash]', `--outdir=${resolve(draft, 'lib')}`],
      // Names stay, as stack traces and logs show them.
      ...['--minify-whitespace', '--minify-syntax', '--keep-names'],
      ...['--sourcemap', '--sources-content=false', '--legal-comments=none', `--metafile=${resolve(metafile)}`],
      ...['--external:*.node', `--define:livegateCommit=${JSON.stringify(revision)}`, `--banner:js=${commonJs}`]
    ],
    { cwd: root, stdio: 'inherit' }
  )
  const { inputs } = JSON.parse(readFileSync(metafile, 'utf8')) as { inputs: Record<string, unknown> }
  rmSync(metafile)
  for (const file of globSync('node_modules/better-sqlite3/prebuilds/linux*.node', { cwd: root })) {
    mkdirSync(join(draft, 'prebuilds'), { recursive: true })
    copyFileSync(join(root, file), join(draft, 'prebuilds', file.slice(file.lastIndexOf('/') + 1)))
  }
  cpSync(join(root, 'node_modules/@fastify/swagger-ui/static'), join(draft, 'static'), { recursive: true })
  copyFileSync(join(root, 'src/livegate.sh'), join(draft, 'livegate'))
  chmodSync(join(draft, 'livegate'), 0o755)
  copyFileSync(join(root, 'src/healthcheck.sh'), join(draft, 'healthcheck.sh'))
  writeFileSync(join(draft, 'licenses.txt'), licences(Object.keys(inputs)))
  writeFileSync(join(draft, 'package.json'), `${JSON.stringify(packed(digest), null, 2)}\n`)
  rmSync(folder, { recursive: true, force: true })
  renameSync(draft, folder)
}

/** Packages in the bundle are CommonJS, most of them: what Node gives to such a file, the bundle gives itself. */
const commonJs = [
  "import { createRequire } from 'node:module';",
  'const require = createRequire(import.meta.url);',
  'const __dirname = import.meta.dirname, __filename = import.meta.filename;'
].join('')

/** The digest of the sources that a build was made of; nothing where there is no build. */
function digestOf(folder: string): string | undefined {
  const file = join(folder, 'package.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).sources : undefined
}

/** The package of the build: everything is in it but Node, which npm brings where it can. */
function packed(digest: string): object {
  const { name, version, description, license, type, engines, optionalDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8')
  )
  const nodes = Object.entries(optionalDependencies).filter(([name]) => name.startsWith('node-'))
  const about = { name, version, description, license, private: true, type, engines, bin: { livegate: 'livegate' } }
  return { ...about, optionalDependencies: Object.fromEntries(nodes), sources: digest }
}

/** The licence of each package in the bundle, as most of them ask of who gives them on. */
function licences(inputs: string[]): string {
  const packages = new Set(inputs.flatMap(file => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []))
  return [...packages, 'node_modules/swagger-ui-dist']
    .filter(folder => existsSync(join(root, folder)))
    .sort()
    .map(folder => {
      const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
      const [file] = globSync('{LICEN[CS]E,licen[cs]e}*', { cwd: join(root, folder) })
      const text = file === undefined ? '' : `\n\n${readFileSync(join(root, folder, file), 'utf8').trim()}`
      return `${name} ${version} (${license})${text}\n`
    })
    .join(`\n${'-'.repeat(80)}\n\n`)
}

/** The commit of these sources. */
function commit(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim()
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain', 'src') === '' ? '' : ' and changes')
  } catch {
    return 'unknown'
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { 'if-changed': { type: 'boolean' }, revision: { type: 'string' } } })
  const folder = join(root, 'dist')
  const digest = digestOfSources()
  const isMade = values['if-changed'] === true && digestOf(folder) === digest
  // An image is built without the history of its sources, and is told.
  if (!isMade) build(folder, { digest, ...(values.revision !== undefined && { revision: values.revision }) })
}
